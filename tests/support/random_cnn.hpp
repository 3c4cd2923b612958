// Random networks built from the patterns of real ones, and random valid schedules of any graph.
#pragma once

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/schedule/schedule.hpp"

namespace opsched::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(static_cast<int>(from.size()))];
  }

 private:
  std::mt19937_64 engine_;
};

/// Blocks of branches as in Inception, fire modules, cells of separable convolutions and pools, nodes that sum their
/// inputs; joins of joins, values joined twice, slices.
class RandomCnn {
 public:
  /// Outputs have multiples of `width` channels.
  explicit RandomCnn(std::uint64_t seed, int width = 1)
      : random_(seed), unit_(width), graph_("random cnn", 1 + random_.below(2)) {}

  Graph draw(int blocks) {
    Term x = graph_.all(graph_.add_input("in", {1 + random_.below(5), 8 + random_.below(3), 8 + random_.below(3)}));
    for (int b = 0; b < blocks; ++b) {
      if (random_.chance(20)) x = graph_.all(add({x}, {conv(width(), 3, 2)}));
      switch (random_.below(4)) {
        case 0:
          x = branches(x);
          break;
        case 1:
          x = fire(x);
          break;
        case 2:
          x = cell(x);
          break;
        default:
          x = nodes(x);
      }
      graph_.end_block("block" + std::to_string(b));
    }
    return graph_;
  }

 private:
  OpId add(std::vector<Term> terms, std::vector<Layer> layers) {
    return graph_.add("op" + std::to_string(graph_.size()), std::move(terms), std::move(layers));
  }
  static Conv2d conv(int out, int kernel, int stride = 1, Activation act = Activation::relu) {
    return {.out_channels = out,
            .kernel = {kernel, kernel},
            .stride = {stride, stride},
            .padding = {kernel / 2, kernel / 2},
            .act = act};
  }
  int width() { return unit_ * (1 + random_.below(6)); }
  int channels(const Term& term) { return term.front().channels(); }
  Term join(const std::vector<Term>& terms) { return graph_.all(add(terms, {})); }

  Term branches(const Term& x) {
    std::vector<Term> ends;
    for (int i = 0, n = 2 + random_.below(3); i < n; ++i) {
      Term end = x;
      if (random_.chance(25))
        end = graph_.all(add({end}, {Pool2d{.type = random_.chance(50) ? PoolType::max : PoolType::avg,
                                            .kernel = {3, 3},
                                            .padding = {1, 1},
                                            .count_padding = random_.chance(50)}}));
      for (int l = random_.below(3); l >= 0; --l)
        end = graph_.all(add({end}, {conv(width(), 1 + 2 * random_.below(2))}));
      ends.push_back(end);
    }
    if (random_.chance(30)) ends.push_back(join({ends[0], ends[1]}));
    if (random_.chance(30)) ends.push_back({Value{x[0].op, 0, 1 + random_.below(channels(x))}});
    if (random_.chance(40)) return graph_.all(add(ends, {conv(width(), 1)}));
    if (random_.chance(40)) add(ends, {conv(width(), 3)});
    return join(ends);
  }

  Term fire(const Term& x) {
    const Term squeezed = graph_.all(add({x}, {conv(width(), 1)}));
    const int half = width();
    const Term bypass = graph_.all(add({x}, {conv(2 * half, 1, 1, Activation::none)}));
    Term left = graph_.all(add({squeezed}, {conv(half, 1)})), right = graph_.all(add({squeezed}, {conv(half, 3)}));
    if (random_.chance(30)) std::swap(left, right);
    if (random_.chance(70)) {
      left.push_back({bypass[0].op, 0, half});
      right.push_back({bypass[0].op, half, 2 * half});
    }
    return join({left, right});
  }

  std::vector<Layer> separable(int in, int out, int repeats) {
    std::vector<Layer> layers;
    for (int i = 0; i < repeats; ++i) {
      layers.push_back(Activate{random_.chance(80) ? Activation::relu : Activation::tanh});
      layers.push_back(Conv2d{.out_channels = in, .kernel = {3, 3}, .padding = {1, 1}, .groups = in});
      layers.push_back(conv(out, 1, 1, random_.chance(80) ? Activation::none : Activation::tanh));
      in = out;
    }
    return layers;
  }

  Term cell(const Term& x) {
    const int c = width();
    std::vector<Term> states = {graph_.all(add({x}, {Activate{}, conv(c, 1, 1, Activation::none)}))};
    for (int i = 0, n = 2 + random_.below(3); i < n; ++i) {
      Term sum;
      for (int side = 0; side < 2; ++side) {
        const Term& from = random_.pick(states);
        std::vector<Layer> layers =
            random_.chance(60) ? separable(channels(from), c, 1 + random_.below(2))
                               : std::vector<Layer>{Pool2d{.type = PoolType::avg, .kernel = {3, 3}, .padding = {1, 1}}};
        sum.push_back(graph_.all(add({from}, layers)).front());
      }
      states.push_back(random_.chance(50) ? join({sum}) : sum);
    }
    return join(states);
  }

  Term nodes(const Term& x) {
    const int c = width();
    std::vector<Value> values;
    for (int i = 0, n = 3 + random_.below(5); i < n; ++i) {
      Term sum;
      for (const Value& v : values)
        if (random_.chance(40)) sum.push_back(v);
      if (sum.empty()) sum = x;
      values.push_back(graph_.all(add({sum}, separable(channels(sum), c, 1))).front());
    }
    Term sinks;
    for (const Value& v : values)
      if (graph_.succs(v.op).empty()) sinks.push_back(v);
    return join({sinks});
  }

  Random random_;
  int unit_;
  Graph graph_;
};

/// A valid schedule with random order, devices, stages and streams, merges where they are legal, and priorities.
inline Schedule random_schedule(const Graph& graph, int devices, Mode mode, std::uint64_t seed) {
  Random random(seed);
  Schedule schedule{.graph = graph.name(), .scheduler = "random", .mode = mode, .devices = {}, .launch_order = {}};
  schedule.devices.resize(devices);
  std::vector<int> step(graph.size(), -1);  // global step; each device has one stage per step
  std::vector<int> open(devices, -1);       // global step of a device's last stage
  std::vector<Slot> slots(graph.size());
  for (OpId id : graph.inputs()) step[id] = 0;
  int now = 1;
  const auto ready = [&](OpId id) {
    return step[id] < 0 && std::ranges::all_of(graph.preds(id), [&](OpId p) { return step[p] >= 0; });
  };
  const auto before_now = [&](OpId id) {
    return std::ranges::all_of(graph.preds(id), [&](OpId p) { return step[p] < now; });
  };
  std::vector<OpId> order;
  for (std::size_t left = graph.units().size(); left > 0;) {
    std::vector<OpId> choices;
    for (OpId id : graph.units())
      if (ready(id)) choices.push_back(id);
    const OpId id = random.pick(choices);
    const int d = random.below(devices);
    if (random.chance(25)) ++now;
    auto& stages = schedule.devices[d].stages;
    Group merge;
    for (OpId other : choices) {
      Group more = merge;
      more.push_back(other);
      if (graph.op(other).terms == graph.op(id).terms && can_merge(graph, more)) merge = more;
    }
    if (merge.size() > 1 && random.chance(70)) {
      if (random.chance(50)) std::ranges::reverse(merge);
      ++now;
      stages.push_back({Strategy::merge, {merge}});
      for (OpId op : merge) step[op] = now, order.push_back(op);
      left -= merge.size();
      ++now;
      continue;
    }
    // Either continue a group of the open stage, or start a new one.
    const bool fresh = open[d] != now;
    std::vector<Group> groups = fresh ? std::vector<Group>{} : stages.back().groups;
    const int g = random.below(std::min(static_cast<int>(groups.size()) + 1, 4));
    if (g == static_cast<int>(groups.size())) groups.emplace_back();
    const bool fits = mode == Mode::dataflow || std::ranges::all_of(graph.preds(id), [&](OpId p) {
                        return step[p] < now || std::ranges::find(groups[g], p) != groups[g].end();
                      });
    if (!fits && !before_now(id)) {
      ++now;
      continue;
    }
    if (!fits) continue;
    groups[g].push_back(id);
    if (fresh) stages.emplace_back();
    stages.back().groups = groups;
    open[d] = now;
    step[id] = now;
    order.push_back(id);
    --left;
  }
  if (mode == Mode::dataflow && random.chance(40)) schedule.launch_order = order;
  if (random.chance(40)) {
    schedule.priority.assign(graph.size(), 0);
    for (OpId id : graph.units()) schedule.priority[id] = random.below(kMostPriority + 1);
  }
  return schedule;
}

}  // namespace opsched::test
