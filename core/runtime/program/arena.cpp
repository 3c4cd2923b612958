#include "core/runtime/program/arena.hpp"

#include <algorithm>
#include <numeric>

#include "core/runtime/program/order.hpp"

namespace opsched {
namespace {

/// When a buffer is in use.
struct Life {
  std::vector<int> steps;          ///< steps that touch the buffer, ascending
  boost::dynamic_bitset<> before;  ///< steps that happen before all of `steps`; bits end at the first of them
  bool whole_run = false;          ///< an input or output
};

std::vector<Life> lives_of(const Program& program, const Order& order) {
  std::vector<Life> lives(program.buffers.size());
  for (int s = 0; s < order.size(); ++s) {
    const auto touch = [&](const View& view) {
      std::vector<int>& steps = lives[view.buffer].steps;
      if (steps.empty() || steps.back() != s) steps.push_back(s);
    };
    for (const View& input : program.steps[s].inputs) touch(input);
    if (program.steps[s].residual) touch(*program.steps[s].residual);
    touch(program.steps[s].output);
  }
  for (const View& view : program.inputs) lives[view.buffer].whole_run = true;
  for (const View& view : program.outputs) lives[view.buffer].whole_run = true;
  for (Life& life : lives) {
    if (life.steps.empty()) continue;
    life.before = order.ancestors(life.steps.front());
    for (int s : life.steps) {
      boost::dynamic_bitset<> before = order.ancestors(s);
      before.resize(life.before.size());
      life.before &= before;
    }
  }
  return lives;
}

bool ends_before(const Life& a, const Life& b) {
  return std::ranges::all_of(a.steps,
                             [&](int s) { return static_cast<std::size_t>(s) < b.before.size() && b.before.test(s); });
}

bool may_share(const Life& a, const Life& b) {
  return !a.whole_run && !b.whole_run && (ends_before(a, b) || ends_before(b, a));
}

}  // namespace

void plan_arena(Program& program) {
  const std::vector<Life> lives = lives_of(program, order_of(program));
  std::vector<int> by_size(program.buffers.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  std::ranges::stable_sort(by_size, std::greater<>(), [&](int b) { return program.buffers[b].bytes; });

  std::vector<std::vector<int>> placed(program.arena_bytes.size());  // by device, in order of offset
  for (int b : by_size) {
    Buffer& buffer = program.buffers[b];
    std::vector<int>& others = placed[buffer.device];
    // The smallest gap that fits between buffers that may be live at the same time; otherwise behind all of them.
    std::int64_t end = 0, best = -1, best_size = 0;
    for (int o : others) {
      const Buffer& other = program.buffers[o];
      if (may_share(lives[b], lives[o])) continue;
      const std::int64_t gap = other.offset - end;
      if (gap >= buffer.bytes && (best < 0 || gap < best_size)) best = end, best_size = gap;
      end = std::max(end, other.offset + other.bytes);
    }
    buffer.offset = best >= 0 ? best : end;
    const auto offset = [&](int o) { return program.buffers[o].offset; };
    others.insert(std::ranges::upper_bound(others, buffer.offset, {}, offset), b);
    std::int64_t& total = program.arena_bytes[buffer.device];
    total = std::max(total, buffer.offset + buffer.bytes);
  }
}

}  // namespace opsched
