#include "core/runtime/program/view_uses.hpp"

#include <algorithm>

namespace opsched {
namespace {

template <class F>
void for_each_view(Program& program, const F& f) {
  for (Step& step : program.steps) {
    for (View& input : step.inputs) f(input);
    if (step.residual) f(*step.residual);
    f(step.output);
  }
  for (View& view : program.inputs) f(view);
  for (View& view : program.outputs) f(view);
}

}  // namespace

bool is_read_by_only(const Program& program, int reader, const View& view, std::span<const View> kept,
                     const std::vector<bool>& removed) {
  const auto touches = [&](const View& other) { return overlap(view, other); };
  if (std::ranges::any_of(program.outputs, touches) || std::ranges::any_of(kept, touches)) return false;
  for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
    const Step& step = program.steps[s];
    if (s == reader || (!removed.empty() && removed[s])) continue;
    if (std::ranges::any_of(step.inputs, touches) || (step.residual && touches(*step.residual))) return false;
  }
  return true;
}

void remove_unused_buffers(Program& program) {
  std::vector<int> index(program.buffers.size(), -1);
  for_each_view(program, [&](const View& view) { index[view.buffer] = 0; });
  int kept = 0;
  for (std::size_t b = 0; b < index.size(); ++b)
    if (index[b] == 0) {
      program.buffers[kept] = program.buffers[b];
      index[b] = kept++;
    }
  program.buffers.resize(kept);
  for_each_view(program, [&](View& view) { view.buffer = index[view.buffer]; });
}

}  // namespace opsched
