#include "core/runtime/program/transfer_hops.hpp"

#include <algorithm>

namespace opsched {

Program lower(const TransferHops& hops, int devices, const LoweringOptions& options) {
  Program program{.arena_bytes = std::vector<std::int64_t>(static_cast<std::size_t>(devices), 0),
                  .streams = std::vector<int>(static_cast<std::size_t>(devices), 0)};
  const int ends[] = {hops.from, hops.to};
  const int pixels = static_cast<int>(std::max<std::int64_t>(1, hops.bytes / options.element_bytes));
  const std::int64_t bytes = round_up(std::int64_t{pixels} * options.element_bytes, options.alignment);
  for (const int device : ends) {
    program.buffers.push_back({.device = device, .shape = {1, 1, pixels}, .bytes = bytes});
    program.arena_bytes[device] = bytes;
    program.streams[device] = 1;
  }
  const auto all = [](int buffer) { return View{buffer, 0, 1, {{0, 1}, {0, 1}}}; };
  for (int hop = 0; hop < hops.count; ++hop) {
    const int from = hop % 2, to = 1 - from;
    program.steps.push_back({.kind = Step::Kind::transfer,
                             .inputs = {all(from)},
                             .output = all(to),
                             .device = ends[to],
                             .waits = hop > 0 ? std::vector{hop - 1} : std::vector<int>{}});
  }
  return program;
}

}  // namespace opsched
