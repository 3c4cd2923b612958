// Costs derived from operator ids: synthetic but reproducible, with HIOS's contention rule, for which the lower bounds
// are exact.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched::test {

class TestCost : public CostModel {
 public:
  /// `ratio`: the maximum of a transfer latency, relative to that of an operator.
  explicit TestCost(const Graph& graph, std::uint64_t seed = 1, double ratio = 0.5)
      : graph_(graph), seed_(seed), ratio_(ratio) {
    for (OpId op = 0; op < graph.size(); ++op) {
      solo_.push_back(0.1 + 3.9 * uniform(op, 0));
      use_.push_back(0.1 + 0.9 * uniform(op, 1));
    }
  }

  void set(OpId op, double solo_ms, double utilisation) {
    solo_[op] = solo_ms;
    use_[op] = utilisation;
  }

  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return Provenance::synthetic; }
  std::unique_ptr<CostModel> of(const Graph& graph) override {
    return std::make_unique<TestCost>(graph, seed_, ratio_);
  }
  double operator_ms(OpId op) override { return solo_[op]; }
  double utilisation(OpId op) override { return use_[op]; }
  double work_ms(OpId op) override { return 0.5 * solo_[op] * (1 + use_[op]); }
  double stage_ms(const Stage& stage) override {
    ++stages_asked;
    double sum = 0, used = 0, longest = 0;
    int operators = 0;
    for (const Group& group : stage.groups) {
      double chain = 0;
      for (OpId op : group) {
        chain += solo_[op];
        used += solo_[op] * use_[op];
      }
      sum += chain;
      longest = std::max(longest, chain);
      operators += static_cast<int>(group.size());
    }
    return operators == 1 ? sum : 0.5 * sum + 0.5 * std::max(used, longest);
  }
  double transfer_ms(OpId producer, OpId consumer, int from, int to) override {
    return from == to ? 0 : ratio_ * 4.0 * uniform(producer * 7919 + consumer, 2);
  }

  int stages_asked = 0;

 private:
  /// Uniform in [0, 1); SplitMix64 of the seed, the id and the purpose.
  double uniform(int id, int purpose) const {
    std::uint64_t z = seed_ * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(id) * 3 + purpose + 1;
    for (int round = 0; round < 2; ++round) {
      z += 0x9e3779b97f4a7c15u;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      z ^= z >> 31;
    }
    return static_cast<double>(z >> 11) * 0x1.0p-53;
  }

  const Graph& graph_;
  std::uint64_t seed_;
  double ratio_;
  std::vector<double> solo_, use_;
};

}  // namespace opsched::test
