#include "core/runtime/program/late_pools.hpp"

#include <array>
#include <optional>
#include <utility>

#include "core/runtime/program/view_uses.hpp"

namespace opsched {
namespace {

constexpr std::array<int, 2> one{1, 1}, none{0, 0};

/// A pointwise convolution whose input and output have the same pixels, and which does nothing else.
bool is_only_pointwise(const Step& step) {
  const auto* conv = std::get_if<Conv2d>(&step.layer);
  return step.kind == Step::Kind::conv && is_pointwise(*conv) && conv->stride == one && conv->padding == none &&
         conv->more_padding == none && (conv->act == Activation::none || conv->act == Activation::relu) &&
         step.inputs.size() == 1 && !step.affine && step.pre == Activation::none && !step.residual;
}

bool averages(const Step& step) {
  const auto* pool = std::get_if<Pool2d>(&step.layer);
  return step.kind == Step::Kind::pool && pool->type == PoolType::avg && pool->stride == one && step.weights.empty() &&
         step.inputs.front().channels == step.output.channels;
}

/// The only step that writes any of a view, if it writes all of it.
std::optional<int> only_writer(const Program& program, const View& view) {
  std::optional<int> writer;
  for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
    const View& output = program.steps[s].output;
    if (!overlap(output, view)) continue;
    if (writer || output != view) return std::nullopt;
    writer = s;
  }
  return writer;
}

/// Does the convolution gain by coming first? A window without padding has more pixels before it than behind it.
bool pays(const Program& program, const Step& pool, const Step& conv) {
  const Shape before = shape_of(program, pool.inputs.front()), behind = shape_of(program, pool.output);
  const auto pixels = [](const Shape& s) { return std::int64_t{s.h} * s.w; };
  return conv.output.channels < pool.output.channels && 4 * pixels(before) <= 5 * pixels(behind);
}

/// What both change places over: a tensor like the average's input, with the convolution's channels.
View tensor_between(Program& program, const LoweringOptions& options, const Step& pool, int channels) {
  const View& input = pool.inputs.front();
  Buffer between = program.buffers[input.buffer];
  between.images = program.buffers[pool.output.buffer].images;
  between.shape.c = channels;
  between.padding = 0;
  between.bytes = round_up(between.shape.size() * between.images * options.element_bytes, options.alignment);
  program.buffers.push_back(between);
  return {static_cast<int>(program.buffers.size()) - 1, 0, channels, input.region};
}

void change_places(Program& program, const LoweringOptions& options, Step& pool, Step& conv) {
  const View between = tensor_between(program, options, pool, conv.output.channels);
  std::swap(pool.kind, conv.kind);
  std::swap(pool.layer, conv.layer);
  pool.weights = conv.weights;  // now that of the convolution, and the bias of the average
  pool.bias = false;
  pool.output = between;
  conv.inputs = {between};
  conv.post = std::exchange(std::get<Conv2d>(pool.layer).act, Activation::none);
}

}  // namespace

bool move_pools_late(Program& program, const LoweringOptions& options, std::span<const View> kept) {
  bool any = false;
  for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
    Step& conv = program.steps[s];
    if (!is_only_pointwise(conv)) continue;
    const std::optional<int> writer = only_writer(program, conv.inputs.front());
    if (!writer) continue;
    Step& pool = program.steps[*writer];
    if (!averages(pool) || !pays(program, pool, conv) || !is_read_by_only(program, s, pool.output, kept)) continue;
    change_places(program, options, pool, conv);
    any = true;
  }
  if (any) remove_unused_buffers(program);
  return any;
}

}  // namespace opsched
