#include "core/runtime/program/memory_layout.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/runtime/program/program.hpp"

namespace opsched {

MemoryLayout::MemoryLayout(const Graph& graph, std::vector<int> device, std::vector<std::vector<OpId>> merges,
                           int vector_channels)
    : graph_(graph), device_(std::move(device)), merges_(std::move(merges)), vector_channels_(vector_channels) {
  home_.assign(graph_.size(), -1);
  for (OpId op = 0; op < graph_.size(); ++op) {
    if (graph_.op(op).is_stack()) continue;
    const OpId holder = graph_.holder(op);
    const auto [it, fresh] = instances_.try_emplace({holder, device_[op]}, 0);
    if (fresh) it->second = add_node(device_[op], graph_.op(holder).output);
    home_[op] = it->second;
    nodes_[home_[op]].fixed = graph_.op(op).is_input();
  }
  joined_.assign(graph_.size(), -1);
  imports_.resize(graph_.size());
  collect_imports();
  for (OpId op = 0; op < graph_.size(); ++op) place_terms(op);
  if (!merges_.empty()) slots_ = join_slots(graph_);
  for (std::size_t m = 0; m < merges_.size(); ++m) place_merge(static_cast<int>(m));
  if (vector_channels_ > 1) pad_roots(vector_channels_);
}

int MemoryLayout::add_node(int device, Shape shape) {
  nodes_.push_back({.what = {device, shape}});
  first_channel_.push_back(0);
  return static_cast<int>(nodes_.size()) - 1;
}

int MemoryLayout::instance(OpId op, int device) const { return instances_.at({op, device}); }

Place MemoryLayout::place(int node) const {
  Place place{node, 0, nodes_[node].what.shape.c, {{0, graph_.batch()}, {0, nodes_[node].what.shape.h}}};
  while (nodes_[place.root].parent >= 0) {
    place.channel += nodes_[place.root].channel;
    place.root = nodes_[place.root].parent;
  }
  return place;
}

Place MemoryLayout::output(OpId op) const {
  Place p = place(home_[op]);
  p.region = graph_.written(op);
  return p;
}

Place MemoryLayout::value(const Value& value, const Region& region, int device) const {
  const int node = instance(value.op, device);
  Place p = place(node);
  p.channel += value.begin - first_channel_[node];
  p.channels = value.channels();
  p.region = region;
  return p;
}

Place MemoryLayout::value(const Value& v, OpId reader) const {
  return value(v, graph_.read(graph_.op(reader), v), device_[reader]);
}

Place MemoryLayout::joined(OpId op) const {
  Place p = place(joined_[op]);
  if (!graph_.op(op).reads.empty()) p.region = graph_.op(op).reads;
  return p;
}

/// Shape of an operator's joined input, with all rows.
Shape MemoryLayout::joined_shape(const Operator& op) const {
  return {op.input.c, graph_.op(op.terms.front().front().op).output.h, op.input.w};
}

void MemoryLayout::collect_imports() {
  std::map<std::pair<OpId, int>, Import> received;  // by producer and device
  std::map<std::pair<OpId, int>, Value> channels;   // channels of an output that a device receives, taken together
  const auto widen = [](Value& to, const Value& by) {
    to.begin = std::min(to.begin, by.begin);
    to.end = std::max(to.end, by.end);
  };
  for (OpId op = 0; op < graph_.size(); ++op)
    for (const Term& term : graph_.op(op).terms)
      for (const Value& v : term)
        for (OpId from : graph_.producers(graph_.op(op), v)) {
          if (device_[from] == device_[op]) continue;
          const Region region = common(graph_.read(graph_.op(op), v), graph_.written(from));
          Import& import = received.try_emplace({from, device_[op]}, Import{device_[op], v, region}).first->second;
          widen(import.value, v);
          import.region = hull(import.region, region);
          widen(channels.try_emplace({v.op, device_[op]}, v).first->second, v);
        }
  for (OpId op = 0; op < graph_.size(); ++op)
    if (home_[op] >= 0) present_[{graph_.holder(op), device_[op]}].push_back(output(op).region);
  for (const auto& [key, import] : received) {
    const std::pair<OpId, int> target{import.value.op, import.device};
    const auto [it, fresh] = instances_.try_emplace(target, 0);
    if (fresh) {
      const Value& all = channels.at(target);
      const Shape& whole = graph_.op(all.op).output;
      it->second = add_node(import.device, {all.channels(), whole.h, whole.w});
      first_channel_[it->second] = all.begin;
    }
    present_[target].push_back(import.region);
    imports_[key.first].push_back(import);
  }
}

/// Would received strips of a join overwrite regions of its terms that this device already has?
bool MemoryLayout::imports_what_is_there(OpId join) const {
  const int device = device_[join];
  for (OpId strip : graph_.strips(graph_.op(join).stack))
    for (const Import& import : imports_[strip])
      for (const Term& term : graph_.op(join).terms)
        for (const Value& v : term)
          if (import.device == device && std::ranges::any_of(present_.at({v.op, device}), [&](const Region& region) {
                return !common(region, import.region).empty();
              }))
            return true;
  return false;
}

/// A join and its terms may share memory, so every region present of one is present of the other.
void MemoryLayout::share_regions(OpId join) {
  std::vector<Region>& of_join = present_.at({graph_.op(join).stack, device_[join]});
  for (const Term& term : graph_.op(join).terms)
    for (const Value& v : term) {
      std::vector<Region>& of_value = present_.at({v.op, device_[join]});
      const std::vector<Region> before = of_value;
      of_value.insert(of_value.end(), of_join.begin(), of_join.end());
      of_join.insert(of_join.end(), before.begin(), before.end());
    }
}

bool MemoryLayout::is_padded(const Place& place) const {
  const Root& root = nodes_[place.root].what;
  return root.padding > 0 && place.channel == 0 && place.channels == root.shape.c;
}

bool MemoryLayout::is_whole(const Value& value, int node) const {
  return value.begin == first_channel_[node] && value.channels() == nodes_[node].what.shape.c;
}

bool MemoryLayout::can_claim(const Value& value, int device) const {
  const int node = instance(value.op, device);
  return is_whole(value, node) && nodes_[node].parent < 0 && !nodes_[node].fixed;
}

bool MemoryLayout::claim(const Value& value, int device, int parent, int channel) {
  if (!can_claim(value, device)) return false;
  Node& node = nodes_[instance(value.op, device)];
  node.parent = parent;
  node.channel = channel;
  return true;
}

void MemoryLayout::place_terms(OpId id) {
  const Operator& op = graph_.op(id);
  if (!op.is_unit() || op.is_product()) return;  // a product reads its factors in place
  const int device = device_[id];
  if (op.is_join() && op.is_strip()) {
    // Strips of a join share its home.
    if (!placed_.emplace(op.stack, device).second || imports_what_is_there(id)) return;
    share_regions(id);
  }
  if (op.terms.size() == 1) {
    const Term& term = op.terms.front();
    if (!op.is_join() || term.size() > 1 || claim(term.front(), device, home_[id], 0)) return;
    // The join is an alias for channels stored elsewhere.
    const int node = instance(term.front().op, device);
    nodes_[home_[id]].parent = node;
    nodes_[home_[id]].channel = term.front().begin - first_channel_[node];
    return;
  }
  int target = home_[id];
  if (!op.is_join()) {
    // Readers of the same concatenation share it. Equal terms are rare, so a linear search is cheap.
    std::vector<OpId>& others = concatenated_[{op.terms.front().front().op, device}];
    for (OpId other : others)
      if (graph_.op(other).terms == op.terms) joined_[id] = joined_[other];
    if (joined_[id] >= 0) return;
    others.push_back(id);
    target = joined_[id] = add_node(device, joined_shape(op));
  }
  if (place_columns(op, device)) return;
  int channel = 0;
  for (std::size_t t = 0; t < op.terms.size();) {
    const std::size_t terms = whole_root(op.terms, t, device, target, channel);
    if (terms > 0) {
      Node& root = nodes_[value(op.terms[t].front(), {}, device).root];
      root.parent = target;
      root.channel = channel;
    }
    for (const std::size_t next = t + std::max<std::size_t>(terms, 1); t < next; ++t)
      channel += op.terms[t].front().channels();
  }
}

std::size_t MemoryLayout::whole_root(const std::vector<Term>& terms, std::size_t first, int device, int target,
                                     int channel) const {
  const int root = value(terms[first].front(), {}, device).root;
  if (nodes_[root].fixed || root == place(target).root) return 0;
  int channels = 0;
  std::size_t t = first;
  for (; channels < nodes_[root].what.shape.c; ++t) {
    if (t == terms.size() || terms[t].size() > 1) return 0;
    const Place at = value(terms[t].front(), {}, device);
    if (at.root != root || at.channel != channels) return 0;
    channels += at.channels;
  }
  const std::size_t count = t - first;
  if (count == 1 && instance(terms[first].front().op, device) == root) return 1;
  // Where slices would not be aligned, a copy costs less than slower readers.
  for (const int extent : {channels, channel, nodes_[target].what.shape.c})
    if (extent % vector_channels_ != 0) return 0;
  // A merge may still move its operators to another place.
  const auto merged = [&](const Term& term) {
    return std::ranges::any_of(merges_,
                               [&](const auto& ops) { return std::ranges::find(ops, term[0].op) != ops.end(); });
  };
  return std::none_of(terms.begin() + first, terms.begin() + t, merged) ? count : 0;
}

bool MemoryLayout::side_by_side(const std::vector<Value>& column, int device) const {
  for (std::size_t i = 1; i < column.size(); ++i) {
    const Place a = value(column[i - 1], {}, device), b = value(column[i], {}, device);
    if (a.root != b.root || a.channel + a.channels != b.channel) return false;
  }
  return true;
}

/// For a concatenation of sums with equally many values: if the first values of all sums can be adjacent, likewise
/// their second values and so on, one step adds all the terms.
bool MemoryLayout::place_columns(const Operator& op, int device) {
  const std::size_t width = op.terms.front().size();
  if (width < 2) return false;
  std::vector<std::vector<Value>> columns(width), to_claim;
  std::set<OpId> claimed;
  for (const Term& term : op.terms) {
    if (term.size() != width) return false;
    for (std::size_t i = 0; i < width; ++i) columns[i].push_back(term[i]);
  }
  for (const std::vector<Value>& column : columns) {
    if (side_by_side(column, device)) continue;
    for (const Value& v : column)
      if (!can_claim(v, device) || !claimed.insert(v.op).second) return false;
    to_claim.push_back(column);
  }
  for (const std::vector<Value>& column : to_claim) {
    const int group = add_node(device, joined_shape(op));
    int channel = 0;
    for (const Value& v : column) {
      claim(v, device, group, channel);
      channel += v.channels();
    }
  }
  return true;
}

/// Puts a merged output across the beginning or end of the concatenation of some of its operators: both become slices
/// of one wider root.
bool MemoryLayout::place_beside_join(int merge) {
  std::vector<OpId>& ops = merges_[merge];
  const MergedPlace how = merged_place(slots_, ops);
  if (!how.is_beside()) return false;
  const int join = home_[slots_[how.with_slot.front()].reader];
  // On several devices the concatenation may be on another one.
  for (OpId op : how.with_slot)
    if (nodes_[home_[op]].parent != join) return false;
  const Place inner = place(join);
  Shape shape = nodes_[inner.root].what.shape;
  const bool before = how.kind == MergedPlace::Kind::before_begin;
  if (nodes_[inner.root].fixed || (before ? inner.channel != 0 : inner.channel + inner.channels != shape.c))
    return false;

  std::vector<OpId> others;
  std::ranges::copy_if(ops, std::back_inserter(others),
                       [&](OpId op) { return std::ranges::find(how.with_slot, op) == how.with_slot.end(); });
  int shared = 0, beside = 0;
  for (OpId op : how.with_slot) shared += graph_.op(op).output.c;
  for (OpId op : others) beside += graph_.op(op).output.c;
  const int device = device_[ops.front()], end = shape.c;
  shape.c = end + beside;
  const int wide = add_node(device, shape);
  nodes_[inner.root].parent = wide;
  nodes_[inner.root].channel = before ? beside : 0;
  shape.c = shared + beside;
  const int group = add_node(device, shape);
  merge_node_.push_back(group);
  nodes_[group].parent = wide;
  nodes_[group].channel = before ? 0 : end - shared;
  int channel = before ? 0 : shared;
  for (OpId op : others) {
    nodes_[home_[op]].parent = group;
    nodes_[home_[op]].channel = channel;
    channel += graph_.op(op).output.c;
  }
  ops = before ? others : how.with_slot;
  const std::vector<OpId>& rest = before ? how.with_slot : others;
  ops.insert(ops.end(), rest.begin(), rest.end());
  return true;
}

void MemoryLayout::place_merge(int merge) {
  if (place_beside_join(merge)) return;
  std::vector<OpId>& ops = merges_[merge];
  Shape shape = graph_.op(ops.front()).output;
  shape.c = 0;
  for (OpId op : ops) shape.c += graph_.op(op).output.c;

  // If they are adjacent in one parent, in any order, the merged convolution writes there.
  std::vector<OpId> sorted = ops;
  std::ranges::sort(sorted, {},
                    [&](OpId op) { return std::tuple(nodes_[home_[op]].parent, nodes_[home_[op]].channel); });
  const int parent = nodes_[home_[sorted.front()]].parent, begin = nodes_[home_[sorted.front()]].channel;
  bool in_place = parent >= 0;
  int channel = begin;
  for (OpId op : sorted) {
    const Node& node = nodes_[home_[op]];
    in_place = in_place && node.parent == parent && node.channel == channel;
    channel += node.what.shape.c;
  }
  const int group = add_node(device_[ops.front()], shape);
  merge_node_.push_back(group);
  if (in_place) {
    ops = sorted;
    nodes_[group].parent = parent;
    nodes_[group].channel = begin;
  }
  channel = 0;
  for (OpId op : ops) {
    nodes_[home_[op]].parent = group;
    nodes_[home_[op]].channel = channel;
    channel += nodes_[home_[op]].what.shape.c;
  }
}

bool MemoryLayout::reads_padding(OpId id) const {
  const std::vector<Term>& terms = graph_.op(id).terms;
  return terms.size() == 1 && !graph_.op(id).is_product() &&
         std::ranges::all_of(terms.front(), [&](const Value& v) { return is_padded(value(v, id)); });
}

namespace {
/// Does every output channel depend only on the same input channel, so that extra channels do no harm?
bool keeps_channels_apart(const Layer& layer) {
  return !std::holds_alternative<DepthToSpace>(layer) && !std::holds_alternative<PixelRow>(layer) &&
         !std::holds_alternative<Softmax>(layer) && !std::holds_alternative<Normalize>(layer);
}
}  // namespace

/// Does an operator write finite values into the padding of its output if its inputs have finite padding?
bool MemoryLayout::writes_padding(OpId id) const {
  const Operator& op = graph_.op(id);
  bool padded = reads_padding(id);
  Shape shape = op.input;
  for (const Layer& layer : op.layers) {
    if (const auto* conv = std::get_if<Conv2d>(&layer))
      padded = conv->groups == 1 || (padded && is_depthwise(layer, shape));
    else if (!keeps_channels_apart(layer))
      padded = false;
    shape = infer_shape(layer, shape);
  }
  return padded;
}

void MemoryLayout::pad_roots(int vector_channels) {
  std::vector<bool> whole(nodes_.size(), true);  // by root: is it used only as a whole?
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const Place p = place(static_cast<int>(n));
    if (nodes_[n].fixed || p.channel != 0 || p.channels != nodes_[p.root].what.shape.c) whole[p.root] = false;
  }
  const auto missing = [&](int node) {
    const int root = place(node).root, channels = nodes_[root].what.shape.c;
    if (whole[root]) nodes_[root].what.padding = padded_channels(channels, vector_channels) - channels;
  };
  for (const auto& [key, node] : instances_) missing(node);
  // A root loses its padding if anything is written into it without padding.
  for (bool changed = true; changed;) {
    changed = false;
    const auto drop = [&](int node) {
      int& padding = nodes_[place(node).root].what.padding;
      changed = changed || padding > 0;
      padding = 0;
    };
    for (OpId op = 0; op < graph_.size(); ++op) {
      if (home_[op] >= 0 && !writes_padding(op)) drop(home_[op]);
      for (const Import& import : imports_[op])
        if (!is_padded(value(import.value, import.region, device_[op])) ||
            !is_padded(value(import.value, import.region, import.device)))
          drop(instance(import.value.op, import.device));
    }
  }
}

}  // namespace opsched
