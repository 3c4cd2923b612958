#include "core/runtime/program/program_builder.hpp"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "core/round_up.hpp"
#include "core/runtime/program/regions.hpp"
#include "core/schedule/merge_copies.hpp"

namespace opsched {
namespace {

/// The activation that does both in turn; nothing if there is no single one.
std::optional<Activation> compose(Activation first, Activation second) {
  if (first == Activation::none) return second;
  if (second == Activation::none || (first == Activation::relu && second == Activation::relu)) return first;
  return std::nullopt;
}

bool continues(const std::vector<View>& a, const std::vector<View>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].buffer != b[i].buffer || a[i].channel + a[i].channels != b[i].channel || a[i].region != b[i].region)
      return false;
  return true;
}

/// The activation that a product ends in, where its first layer is one.
Activation ends_in(const Operator& op) {
  const auto* activate = op.is_product() && !op.layers.empty() ? std::get_if<Activate>(&op.layers.front()) : nullptr;
  return activate ? activate->act : Activation::none;
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

/// What a layer that is no activation becomes.
Step::Kind kind_of(const Layer& layer, const Shape& in) {
  if (const auto* conv = std::get_if<Conv2d>(&layer))
    return conv->groups > 1 && conv->groups == in.c && conv->groups == conv->out_channels ? Step::Kind::depthwise
                                                                                          : Step::Kind::conv;
  if (std::holds_alternative<Resize2d>(layer)) return Step::Kind::resize;
  if (std::holds_alternative<DepthToSpace>(layer)) return Step::Kind::depth_to_space;
  if (std::holds_alternative<Softmax>(layer)) return Step::Kind::softmax;
  if (std::holds_alternative<Normalize>(layer)) return Step::Kind::normalize;
  return Step::Kind::pool;
}

View slice(const View& view, int begin, int channels) {
  return {view.buffer, view.channel + begin, channels, view.region};
}

/// The first so many channels of a flow.
void narrow(std::vector<View>& views, int channels) {
  for (View& view : views) view.channels = channels;
}

/// Makes the last step of an operator write exactly these channels: its padding too, or not.
void fit(Step& step, int channels) {
  auto* conv = std::get_if<Conv2d>(&step.layer);
  if (conv) conv->out_channels = channels;
  if (conv && step.kind == Step::Kind::conv) return;
  if (step.kind == Step::Kind::depth_to_space) return;  // never pads
  if (conv) conv->groups = channels;
  narrow(step.inputs, channels);
}

}  // namespace

int ProgramBuilder::add_buffer(int device, Shape shape, int padding, int images) {
  shape.c += padding;
  Buffer buffer{.device = device, .shape = shape, .padding = padding, .images = images};
  const std::int64_t bytes = shape.size() * images * options_.element_bytes;
  buffer.bytes = round_up(bytes, options_.alignment);
  program_.buffers.push_back(buffer);
  writes_.emplace_back();
  return static_cast<int>(program_.buffers.size()) - 1;
}

View ProgramBuilder::temporary(OpId op, const Shape& shape) {
  const int buffer = add_buffer(device_, shape, 0, graph_.images(op));
  return {buffer, 0, shape.c, all_of(program_.buffers[buffer])};
}

int ProgramBuilder::buffer_of(int root) {
  const auto [it, fresh] = buffers_.try_emplace(root, 0);
  if (fresh) {
    const MemoryLayout::Root& what = layout_->root(root);
    it->second = add_buffer(what.device, what.shape, what.padding, graph_.batch());
  }
  return it->second;
}

View ProgramBuilder::view(const Place& place) {
  return {buffer_of(place.root), place.channel, place.channels, place.region};
}

View ProgramBuilder::wide_view(const Place& place) {
  View wide = view(place);
  if (layout_->is_padded(place)) wide.channels += layout_->root(place.root).padding;
  return wide;
}

std::vector<int> ProgramBuilder::writers(const View& view) const {
  std::vector<int> steps;
  for (const auto& [written, step] : writes_[view.buffer])
    if (overlap(written, view)) steps.push_back(step);
  return steps;
}

int ProgramBuilder::last_step(int device, int stream) const {
  const auto it = last_.find({device, stream});
  return it == last_.end() ? -1 : it->second;
}

void ProgramBuilder::add_step(Step step) {
  std::vector<int> after(after_.begin(), after_.end());
  for (const View& input : step.inputs) {
    const std::vector<int> steps = writers(input);
    after.insert(after.end(), steps.begin(), steps.end());
  }
  const int predecessor = last_step(step.device, step.stream);
  if (predecessor >= 0) after.push_back(predecessor);
  std::vector<int> needed = order_.reduced(after);
  const int index = order_.add(needed);
  if (options_.waits == Waits::needed) {
    after = std::move(needed);
  } else {
    std::ranges::sort(after);
    after.erase(std::unique(after.begin(), after.end()), after.end());
  }
  std::erase(after, predecessor);
  step.waits = std::move(after);
  last_[{step.device, step.stream}] = index;
  writes_[step.output.buffer].emplace_back(step.output, index);
  program_.steps.push_back(std::move(step));
}

void ProgramBuilder::add_transfer(OpId op, const Import& import, int from, int stream) {
  after_ = {};
  const int device = import.device;
  View from_view = wide_view(layout_->value(import.value, import.region, from));
  const View to_view = wide_view(layout_->value(import.value, import.region, device));
  from_view.channels = to_view.channels;
  add_step({.kind = Step::Kind::transfer,
            .op = op,
            .inputs = {from_view},
            .output = to_view,
            .device = device,
            .stream = stream});
}

void ProgramBuilder::add_copies(OpId id, int merge) {
  const std::vector<JoinSlot> slots = join_slots(graph_);
  std::vector<std::pair<View, View>> runs;  // from, to
  for (OpId op : copied_outputs(slots, layout_->merge(merge))) {
    const auto [reader, term] = slots[op];
    const Operator& join = graph_.op(reader);
    const Place joined = join.is_join() ? layout_->output(reader) : layout_->joined(reader);
    if (layout_->root(joined.root).device != device_) continue;
    const View from = view(layout_->output(op));
    View to = view(joined);
    for (int t = 0; t < term; ++t) to.channel += join.terms[t].front().channels();
    to.channels = from.channels;
    if (!runs.empty() && continues({runs.back().first}, {from}) && continues({runs.back().second}, {to})) {
      runs.back().first.channels += from.channels;
      runs.back().second.channels += to.channels;
    } else {
      runs.emplace_back(from, to);
    }
  }
  for (const auto& [from, to] : runs)
    add_step(
        {.kind = Step::Kind::gather, .op = id, .inputs = {from}, .output = to, .device = device_, .stream = stream_});
  copied_.insert(copied_.end(), runs.begin(), runs.end());
}

/// The input of an operator. Its terms are put side by side: in `target` if there is one, else where
/// the layout says, unless they lie side by side already.
ProgramBuilder::Flow ProgramBuilder::read_terms(OpId id, const View* target) {
  const Operator& op = graph_.op(id);
  const bool wide = layout_->reads_padding(id) && (!target || target->channels > op.output.c);
  std::vector<std::vector<View>> runs;
  for (const Term& term : op.terms) {
    std::vector<View> views;
    for (const Value& v : term) {
      const Place place = layout_->value(v, id);
      views.push_back(wide ? wide_view(place) : view(place));
    }
    if (runs.empty() || !continues(runs.back(), views)) {
      runs.push_back(std::move(views));
    } else {
      for (std::size_t i = 0; i < views.size(); ++i) runs.back()[i].channels += views[i].channels;
    }
  }
  if (!target && runs.size() == 1) return {runs.front()};
  const View joined = target ? *target : view(layout_->joined(id));
  if (target) {
    put_together(id, runs, joined);
    return {{joined}};
  }
  std::vector<Region>& done = joined_[joined.buffer];
  for (const Region& region : without(joined.region, done)) {
    View part = joined;
    part.region = region;
    for (std::vector<View>& run : runs)
      for (View& v : run) v.region = region;
    put_together(id, runs, part);
  }
  done.push_back(joined.region);
  return {{joined}};
}

/// Has a merge copied this already?
bool ProgramBuilder::is_copied(const View& from, const View& to) const {
  return std::ranges::any_of(copied_, [&](const auto& copy) {
    View source = copy.first, target = copy.second;
    if (common(source.region, from.region) == from.region) source.region = from.region, target.region = to.region;
    return source == from && target == to;
  });
}

/// Gathers side by side what does not lie so already.
void ProgramBuilder::put_together(OpId id, const std::vector<std::vector<View>>& runs, const View& joined) {
  int channel = 0;
  for (const std::vector<View>& run : runs) {
    const View part = slice(joined, channel, run.front().channels);
    channel += part.channels;
    if (run.size() == 1 && (run.front() == part || is_copied(run.front(), part))) continue;
    add_step(
        {.kind = Step::Kind::gather, .op = id, .inputs = run, .output = part, .device = device_, .stream = stream_});
  }
}

/// The product of an operator's terms, each first added up where it is a sum; with the activation that follows it.
ProgramBuilder::Flow ProgramBuilder::multiply_terms(OpId id, const View* target) {
  const Operator& op = graph_.op(id);
  std::vector<View> factors;
  for (const Term& term : op.terms) {
    std::vector<View> views;
    for (const Value& v : term) views.push_back(view(layout_->value(v, id)));
    if (views.size() > 1) {
      const View sum = temporary(id, op.factors[&term - op.terms.data()]);
      add_step(
          {.kind = Step::Kind::gather, .op = id, .inputs = views, .output = sum, .device = device_, .stream = stream_});
      views = {sum};
    }
    factors.push_back(views.front());
  }
  const View product = target ? *target : temporary(id, op.input);
  add_step({.kind = Step::Kind::multiply,
            .op = id,
            .inputs = std::move(factors),
            .pre = ends_in(op),
            .output = product,
            .device = device_,
            .stream = stream_});
  return {{product}};
}

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
    case Step::Kind::softmax:
    case Step::Kind::normalize:
      return (!sum || f.pool_sum) && (!act || f.pool_pre);
    default:
      return true;
  }
}

void ProgramBuilder::add_layers(OpId id, int first, int merge, Flow flow, const View& output) {
  const Operator& op = graph_.op(id);
  std::vector<Step> steps;  // the last one's output is `output`
  Shape shape = op.input;   // of the flow, without padding
  const auto blank = [&](Step::Kind kind) {
    return Step{.kind = kind, .op = id, .device = device_, .stream = stream_};
  };
  // The flow passes through this step, which reads the first `reads` channels of it (0: all); what it gives, of so
  // many channels, becomes the flow. Its buffer comes later.
  const auto pass = [&](Step step, int channels, int reads = 0) {
    step.inputs = flow.views;
    step.pre = flow.act;
    flow = {{View{-1, 0, channels, {}}}, Activation::none};
    if (!steps.empty()) steps.back().output = step.inputs.front();
    if (reads > 0) narrow(step.inputs, reads);
    steps.push_back(std::move(step));
  };
  // Temporaries get their buffers as soon as a next step reads them.
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
    Step step = blank(kind_of(op.layers[layer], shape));
    Activation rest = Activation::none;  // what the step cannot do itself
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

void ProgramBuilder::add_unit(OpId id, int merge, int device, int stream, std::span<const int> after) {
  device_ = device, stream_ = stream, after_ = after;
  const View output = wide_view(merge >= 0 ? layout_->merged_output(merge) : layout_->output(id));
  const Operator& op = graph_.op(id);
  const int first = ends_in(op) == Activation::none ? 0 : 1;  // layer that is not part of reading
  const bool only_reads = static_cast<int>(op.layers.size()) == first;
  const View* const target = only_reads ? &output : nullptr;
  Flow flow = op.is_product() ? multiply_terms(id, target) : read_terms(id, target);
  if (!only_reads) add_layers(id, first, merge, std::move(flow), output);
  if (merge >= 0) add_copies(id, merge);
}

}  // namespace opsched
