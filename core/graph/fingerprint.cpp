#include "core/graph/fingerprint.hpp"

#include <array>
#include <string_view>
#include <type_traits>

#include "core/hash.hpp"

namespace opsched {
namespace {

class Hash {
 public:
  Hash& add(std::int64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      const char byte = static_cast<char>(static_cast<std::uint64_t>(number) >> shift & 0xff);
      state_ = fnv1a({&byte, 1}, state_);
    }
    return *this;
  }
  Hash& add(std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    state_ = fnv1a(text, state_);
    return *this;
  }
  Hash& add(const std::array<int, 2>& pair) { return add(pair[0]).add(pair[1]); }
  template <class Enum>
  requires std::is_enum_v<Enum> Hash& add(Enum value) { return add(static_cast<std::int64_t>(value)); }

  Hash& add(const Conv2d& c) {
    return add("conv").add(c.out_channels).add(c.kernel).add(c.stride).add(c.padding).add(c.groups).add(c.act);
  }
  Hash& add(const Pool2d& p) {
    return add("pool").add(p.type).add(p.kernel).add(p.stride).add(p.padding).add((p.count_padding ? 1 : 0) +
                                                                                  (p.ceil ? 2 : 0));
  }
  Hash& add(const Activate& a) { return add("activate").add(a.act); }

  std::string hex() const { return hex_digits(state_); }

 private:
  std::uint64_t state_ = kHashStart;
};

}  // namespace

std::string operator_fingerprint(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  Hash hash;
  hash.add(op.name);
  if (op.is_input()) hash.add(op.output.c);
  hash.add(static_cast<std::int64_t>(op.terms.size()));
  for (const Term& term : op.terms) {
    hash.add(static_cast<std::int64_t>(term.size()));
    for (const Value& value : term) hash.add(graph.op(value.op).name).add(value.begin).add(value.end);
  }
  hash.add(static_cast<std::int64_t>(op.layers.size()));
  for (const Layer& layer : op.layers) std::visit([&](const auto& l) { hash.add(l); }, layer);
  return hash.hex();
}

std::string named_fingerprint(const Graph& graph) {
  Hash hash;
  hash.add(graph.batch());
  for (OpId op = 0; op < graph.size(); ++op) {
    hash.add(operator_fingerprint(graph, op));
    if (graph.op(op).is_input()) hash.add(graph.op(op).output.h).add(graph.op(op).output.w);
  }
  return hash.hex();
}

}  // namespace opsched
