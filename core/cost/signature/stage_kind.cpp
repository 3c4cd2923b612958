#include "core/cost/signature/stage_kind.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace opsched {
namespace {

std::uint64_t mix(std::uint64_t z) {  // splitmix64
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t operator_hash(std::string_view signature) { return mix(fnv1a(signature)); }

KindHash::KindHash(int batch, Strategy strategy)
    : merge_(strategy == Strategy::merge), sum_(mix(2 * static_cast<std::uint64_t>(batch) + (merge_ ? 1 : 0))) {}

void KindHash::add(std::uint64_t operator_hash) {
  group_ = mix(group_ ^ operator_hash);
  if (merge_) end_group();
}

void KindHash::end_group() {
  if (group_ != 0) sum_ += mix(group_);
  group_ = 0;
}

std::uint64_t kind_of_key(std::string_view key) {
  const auto fail = [&] { return Error("not the key of a stage: '" + std::string(key) + "'"); };
  std::size_t at = 0;
  const auto word = [&] {
    const std::size_t end = std::min(key.find(' ', at), key.size());
    const std::string_view text = key.substr(at, end - at);
    at = end + 1;
    return text;
  };
  const std::string_view first = word();
  int batch = 0;
  const char* last = first.data() + first.size();
  if (first.size() < 2 || first[0] != 'b' || std::from_chars(first.data() + 1, last, batch).ptr != last || batch < 1)
    throw fail();
  if (at >= key.size()) throw fail();
  const bool merge = key.substr(at).starts_with("merge ");
  if (merge) word();
  KindHash hash(batch, merge ? Strategy::merge : Strategy::concurrent);
  while (at < key.size()) {
    const std::string_view text = word();
    if (text == "|")
      hash.end_group();
    else
      hash.add(operator_hash(text.substr(0, text.find('@'))));
  }
  hash.end_group();
  return hash.value();
}

}  // namespace opsched
