// Turns an operator's layers into steps, and decides which layers share a kernel.
#include <algorithm>
#include <optional>
#include <type_traits>

#include "core/runtime/program/program_builder.hpp"

namespace opsched {
namespace {

/// The single activation equal to both in turn, if there is one.
std::optional<Activation> compose(Activation first, Activation second) {
  if (first == Activation::none) return second;
  if (second == Activation::none || (first == Activation::relu && second == Activation::relu)) return first;
  return std::nullopt;
}

StepLayer step_layer(const Layer& layer) {
  return std::visit(
      [](const auto& l) -> StepLayer {
        if constexpr (std::is_same_v<decltype(l), const Activate&>)
          return std::monostate{};
        else
          return l;
      },
      layer);
}

/// Kind of the step for a layer other than an activation.
Step::Kind kind_of(const Layer& layer, const Shape& in) {
  if (is_depthwise(layer, in)) return Step::Kind::depthwise;
  if (std::holds_alternative<Conv2d>(layer)) return Step::Kind::conv;
  if (std::holds_alternative<Resize2d>(layer)) return Step::Kind::resize;
  if (std::holds_alternative<DepthToSpace>(layer)) return Step::Kind::depth_to_space;
  if (std::holds_alternative<PixelRow>(layer)) return Step::Kind::pixel_row;
  if (std::holds_alternative<Softmax>(layer)) return Step::Kind::softmax;
  if (std::holds_alternative<Normalize>(layer)) return Step::Kind::normalize;
  return Step::Kind::pool;
}

/// Keeps only the first channels of a flow.
void narrow(std::vector<View>& views, int channels) {
  for (View& view : views) view.channels = channels;
}

/// Makes the last step of an operator write exactly this many channels, with or without its padding.
void fit(Step& step, int channels) {
  auto* conv = std::get_if<Conv2d>(&step.layer);
  if (conv) conv->out_channels = channels;
  if (conv && step.kind == Step::Kind::conv) return;
  if (step.kind == Step::Kind::depth_to_space) return;  // never pads
  if (conv) conv->groups = channels;
  narrow(step.inputs, channels);
}

}  // namespace

bool ProgramBuilder::fits(const Step& step, const Flow& flow) const {
  const Fusion& f = options_.fusion;
  const bool sum = flow.views.size() > 1, act = flow.act != Activation::none;
  switch (step.kind) {
    case Step::Kind::conv:
      return (!sum || f.conv_sum) && (!act || f.conv_pre);
    case Step::Kind::depthwise:
      return (!sum || f.depthwise_sum) && (!act || f.depthwise_pre);
    case Step::Kind::pool:
    case Step::Kind::resize:
    case Step::Kind::depth_to_space:
    case Step::Kind::pixel_row:
    case Step::Kind::softmax:
    case Step::Kind::normalize:
      return (!sum || f.pool_sum) && (!act || f.pool_pre);
    default:
      return true;
  }
}

/// Is this layer affine, and can the next layer apply it while reading the flow?
bool ProgramBuilder::flows_on(const Operator& op, int layer, const Shape& shape, const Flow& flow) const {
  const Fusion& f = options_.fusion;
  return f.conv_affine && f.conv_pre && (f.conv_sum || flow.views.size() == 1) && flow.act == Activation::none &&
         is_done_by_next(op, layer, shape);
}

void ProgramBuilder::add_layers(OpId id, int first, int merge, Flow flow, const View& output) {
  const Operator& op = graph_.op(id);
  std::vector<Step> steps;  // the last one's output is `output`
  Shape shape = op.input;   // shape of the flow, without padding
  const auto blank = [&](Step::Kind kind) {
    return Step{.kind = kind, .op = id, .device = device_, .stream = stream_};
  };
  // Passes the flow through this step, which reads its first `reads` channels (0: all). The step's output, with
  // `channels` channels, becomes the flow; its buffer is allocated later.
  const auto pass = [&](Step step, int channels, int reads = 0) {
    step.inputs = flow.views;
    step.affine = flow.affine;
    step.pre = flow.act;
    flow = {{View{-1, 0, channels, {}}}};
    if (!steps.empty()) steps.back().output = step.inputs.front();
    if (reads > 0) narrow(step.inputs, reads);
    steps.push_back(std::move(step));
  };
  // Allocates the flow's buffer, as soon as another step reads it.
  const auto settle = [&] {
    View& view = flow.views.front();
    if (view.buffer >= 0) return;
    view.buffer = add_buffer(device_, shape, view.channels - shape.c, graph_.images(op));
    view.region = all_of(program_.buffers[view.buffer]);
  };
  const auto gather = [&] { pass(blank(Step::Kind::gather), flow.views.front().channels); };
  for (int layer = first; layer < static_cast<int>(op.layers.size()); ++layer) {
    if (const auto* activate = std::get_if<Activate>(&op.layers[layer])) {
      Conv2d* conv = steps.empty() ? nullptr : std::get_if<Conv2d>(&steps.back().layer);
      const bool can_end = activate->act == Activation::relu || options_.fusion.conv_act;
      if (conv && conv->act == Activation::none && flow.act == Activation::none && can_end) {
        conv->act = activate->act;
        continue;
      }
      const std::optional<Activation> both = compose(flow.act, activate->act);
      if (!both) {
        settle();
        gather();
      }
      flow.act = both.value_or(activate->act);
      continue;
    }
    if (flows_on(op, layer, shape, flow)) {
      flow.affine = {graph_.origin(id), layer};
      flow.act = std::get<Conv2d>(op.layers[layer]).act;
      continue;
    }
    Step step = blank(kind_of(op.layers[layer], shape));
    Activation rest = Activation::none;  // activation that the step cannot apply itself
    bool exact = false;                  // reads and writes no padding
    if (const auto* conv = std::get_if<Conv2d>(&op.layers[layer])) {
      Conv2d c = *conv;
      exact = c.groups > 1 && step.kind != Step::Kind::depthwise;
      step.weights = {{graph_.origin(id), layer}};
      if (merge >= 0) {
        c = merged_conv(graph_, layout_->merge(merge));
        step.weights.clear();
        for (OpId member : layout_->merge(merge)) step.weights.push_back({graph_.origin(member), 0});
      }
      if (c.act != Activation::relu && !options_.fusion.conv_act) std::swap(c.act, rest);
      step.layer = c;
    } else {
      exact = step.kind != Step::Kind::pool && step.kind != Step::Kind::resize;
      step.layer = step_layer(op.layers[layer]);
    }
    settle();
    if (!fits(step, flow)) {
      gather();
      settle();
    }
    const int reads = exact ? shape.c : 0;
    shape = infer_shape(op.layers[layer], shape);
    if (merge >= 0) shape.c = output.channels;
    int channels = exact ? shape.c : flow.views.front().channels;
    if (auto* conv = std::get_if<Conv2d>(&step.layer)) {
      if (step.kind == Step::Kind::depthwise)
        conv->groups = channels;
      else
        channels = conv->groups == 1 ? padded_channels(shape.c, options_.vector_channels) : shape.c;
      conv->out_channels = channels;
    }
    pass(std::move(step), channels, reads);
    flow.act = rest;
  }
  if (steps.empty() || flow.act != Activation::none) {
    settle();
    gather();
  }
  fit(steps.back(), output.channels);
  steps.back().output = output;
  for (Step& step : steps) add_step(std::move(step));
}

}  // namespace opsched
