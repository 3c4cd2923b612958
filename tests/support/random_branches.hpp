// Convolutions that share an input, concatenations of some of their outputs, and schedules that merge some of them.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/random_cnn.hpp"

namespace opsched::test {

/// Blocks as in Inception: several convolutions of one input, some of which are read by further convolutions and some
/// by the concatenation that ends the block, at any place in it.
class RandomBranches {
 public:
  explicit RandomBranches(std::uint64_t seed)
      : random_(seed), unit_(random_.chance(80) ? 8 : 1), graph_("branches", 1 + random_.below(2)) {
    Term x = graph_.all(graph_.add_input("in", {8, 5 + random_.below(3), 5 + random_.below(3)}));
    for (int blocks = 1 + random_.below(3); blocks > 0; --blocks) x = add_block(x);
  }

  const Graph& graph() const { return graph_; }

  Schedule schedule(int devices) {
    Schedule schedule{.graph = graph_.name(), .mode = random_.chance(50) ? Mode::barrier : Mode::dataflow};
    schedule.devices.resize(devices);
    std::vector<bool> done(graph_.size(), false);
    for (OpId op : graph_.units()) {
      if (done[op]) continue;
      const auto merge = std::ranges::find_if(merges_, [&](const Group& g) { return std::ranges::count(g, op) > 0; });
      Stage stage{Strategy::concurrent, {{op}}};
      if (merge != merges_.end())
        stage = {Strategy::merge, {*merge}};
      else if (schedule.mode == Mode::dataflow && random_.chance(50))
        stage.groups.insert(stage.groups.begin(), Group{});
      for (OpId member : stage.groups.back()) done[member] = true;
      schedule.devices[random_.below(devices)].stages.push_back(std::move(stage));
    }
    return schedule;
  }

  /// Groups of convolutions that the schedules merge.
  const std::vector<Group>& merges() const { return merges_; }

 private:
  OpId conv(Term input, int kernel) {
    return graph_.add("op" + std::to_string(graph_.size()), {std::move(input)},
                      {Conv2d{.out_channels = unit_ * (1 + random_.below(3)),
                              .kernel = {kernel, kernel},
                              .padding = {kernel / 2, kernel / 2},
                              .act = Activation::relu}});
  }

  Term add_block(const Term& x) {
    std::vector<OpId> branches;
    for (int n = 2 + random_.below(4); n > 0; --n) branches.push_back(conv(x, random_.chance(70) ? 1 : 3));
    std::vector<Term> joined;
    for (OpId branch : branches) {
      const bool direct = random_.chance(50);
      if (direct) joined.push_back(graph_.all(branch));
      if (!direct || random_.chance(20)) joined.push_back(graph_.all(conv(graph_.all(branch), 3)));
    }
    for (std::size_t i = joined.size(); i > 1; --i)
      std::swap(joined[i - 1], joined[random_.below(static_cast<int>(i))]);
    Group merged;
    for (OpId branch : branches)
      if (random_.chance(70)) merged.push_back(branch);
    if (merged.size() > 1) merges_.push_back(std::move(merged));
    const std::string name = "join" + std::to_string(graph_.size());
    if (random_.chance(60)) return graph_.all(graph_.add(name, joined, {}));
    return graph_.all(graph_.add(name, joined, {Conv2d{.out_channels = 2 * unit_}}));
  }

  Random random_;
  int unit_;
  Graph graph_;
  std::vector<Group> merges_;
};

}  // namespace opsched::test
