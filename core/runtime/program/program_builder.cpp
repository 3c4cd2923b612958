#include "core/runtime/program/program_builder.hpp"

#include <algorithm>

#include "core/round_up.hpp"
#include "core/runtime/program/arena.hpp"
#include "core/runtime/program/concurrency.hpp"
#include "core/runtime/program/fuse_sums.hpp"
#include "core/runtime/program/late_pools.hpp"
#include "core/runtime/program/order.hpp"
#include "core/runtime/program/regions.hpp"
#include "core/schedule/merge_copies.hpp"

namespace opsched {
namespace {

bool continues(const std::vector<View>& a, const std::vector<View>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].buffer != b[i].buffer || a[i].channel + a[i].channels != b[i].channel || a[i].region != b[i].region)
      return false;
  return true;
}

/// A product's activation, if that is its first layer.
Activation ends_in(const Operator& op) {
  const auto* activate = op.is_product() && !op.layers.empty() ? std::get_if<Activate>(&op.layers.front()) : nullptr;
  return activate ? activate->act : Activation::none;
}

View slice(const View& view, int begin, int channels) {
  return {view.buffer, view.channel + begin, channels, view.region};
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
  const int index = static_cast<int>(program_.steps.size());
  step_after_.emplace_back(after_.begin(), after_.end());
  last_[{step.device, step.stream}] = index;
  writes_[step.output.buffer].emplace_back(step.output, index);
  program_.steps.push_back(std::move(step));
}

Program ProgramBuilder::finish(std::span<const View> kept) {
  Order order = set_waits(program_, step_after_, options_.waits);
  if (options_.fusion.conv_residual && fuse_sums(program_, step_after_, order, kept, options_.fills_from))
    order = set_waits(program_, step_after_, options_.waits);
  if (options_.fusion.pool_bias && move_pools_late(program_, options_, kept))
    order = set_waits(program_, step_after_, options_.waits);
  mark_concurrent(program_, order, options_);
  plan_arena(program_);
  return std::move(program_);
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
    const auto [reader, term] = std::pair(slots[op].reader, slots[op].term);
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

/// The input of an operator. Its terms are concatenated in `target` if given, else at the place in the layout, unless
/// they are already adjacent.
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

/// Has a merge already made this copy?
bool ProgramBuilder::is_copied(const View& from, const View& to) const {
  return std::ranges::any_of(copied_, [&](const auto& copy) {
    View source = copy.first, target = copy.second;
    if (common(source.region, from.region) == from.region) source.region = from.region, target.region = to.region;
    return source == from && target == to;
  });
}

/// Gathers runs that are not yet adjacent.
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

/// The product of an operator's terms, with sums computed first, followed by its activation.
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

void ProgramBuilder::add_unit(OpId id, int merge, int device, int stream, std::span<const int> after) {
  device_ = device, stream_ = stream, after_ = after;
  const View output = wide_view(merge >= 0 ? layout_->merged_output(merge) : layout_->output(id));
  const Operator& op = graph_.op(id);
  const int first = ends_in(op) == Activation::none ? 0 : 1;  // first layer that is not part of reading the terms
  const bool only_reads = static_cast<int>(op.layers.size()) == first;
  const View* const target = only_reads ? &output : nullptr;
  Flow flow = op.is_product() ? multiply_terms(id, target) : read_terms(id, target);
  if (!only_reads) add_layers(id, first, merge, std::move(flow), output);
  if (merge >= 0) add_copies(id, merge);
}

}  // namespace opsched
