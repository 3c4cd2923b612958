#include "core/graph/fingerprint.hpp"

#include <array>
#include <bit>
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
    add("conv").add(c.out_channels).add(c.kernel).add(c.stride).add(c.padding).add(c.groups).add(c.act);
    return add_window(c);
  }
  Hash& add(const Pool2d& p) {
    add("pool").add(p.type).add(p.kernel).add(p.stride).add(p.padding).add((p.count_padding ? 1 : 0) +
                                                                           (p.ceil ? 2 : 0));
    return add_window(p);
  }
  Hash& add(const Activate& a) { return add("activate").add(a.act); }
  Hash& add(const Resize2d& r) {
    add("resize").add(r.size).add(r.interpolation).add(r.coordinates).add(r.rounding);
    return add(std::bit_cast<std::int64_t>(r.scale[0])).add(std::bit_cast<std::int64_t>(r.scale[1]));
  }
  Hash& add(const DepthToSpace& d) {
    return add("depth_to_space").add(d.block).add(d.phase_first ? 1 : 0).add(d.crop).add(d.crop_end);
  }
  Hash& add(const PixelRow& r) { return add("pixel_row").add(r.begin).add(r.width); }
  Hash& add(const Softmax& s) { return add("softmax").add(s.size).add(s.inner); }
  Hash& add(const Normalize& n) {
    return add("normalize").add(n.groups).add(n.per_pixel ? 1 : 0).add(std::bit_cast<std::int32_t>(n.epsilon));
  }
  /// Parameters are hashed only if there are any, so that older fingerprints stay valid.
  Hash& add(const Activation& act) {
    add(act.kind);
    if (activation_parameters(act.kind) == 0) return *this;
    return add(std::bit_cast<std::int32_t>(act.a)).add(std::bit_cast<std::int32_t>(act.b));
  }

  std::string hex() const { return hex_digits(state_); }

 private:
  /// Fields that were added later are hashed only if they are used.
  template <class Window>
  Hash& add_window(const Window& w) {
    if (w.dilation != std::array{1, 1}) add("dilation").add(w.dilation);
    if (w.more_padding != std::array{0, 0}) add("more_padding").add(w.more_padding);
    return *this;
  }

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
  if (op.is_product()) hash.add("product");
  const std::vector<Layer> layers = network_layers(op);
  hash.add(static_cast<std::int64_t>(layers.size()));
  for (const Layer& layer : layers) std::visit([&](const auto& l) { hash.add(l); }, layer);
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
