// Synthetic costs of HIOS's simulations (CLUSTER 2023, section V), without a device.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Cost of moving a producer's output to a consumer on another device.
struct SyntheticTransfer {
  OpId producer, consumer;
  double ms;
};

/// Given latency t and utilisation u of every operator, and w of every edge. Concurrent operators on a device take 0.5
/// * sum(t) + 0.5 * max(sum(t * u), max over groups of sum(t)): half way between sequential execution and perfect
/// sharing. Transfers cost the same between any two devices, except after join(), and nothing within a device. Graph
/// inputs are available everywhere.
class SyntheticCost : public CostModel {
 public:
  /// `ms` (t, at least 0) and `utilisation` (u, in (0, 1]) are indexed by OpId; values of graph inputs are ignored.
  /// Edges without a transfer cost nothing. `divisible`: fraction of a latency, in [0, 1], that the strips of an
  /// operator divide by rows or images; each strip has the rest in full. Throws Error naming the operator if a value
  /// is out of range or a transfer is not an edge of the graph.
  SyntheticCost(Graph graph, std::vector<double> ms, std::vector<double> utilisation,
                const std::vector<SyntheticTransfer>& transfers, double divisible = 1);

  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return Provenance::synthetic; }
  /// Transfers cost in proportion to their bytes; utilisations do not change. Combining strips costs nothing, and
  /// neither does moving strips there.
  std::unique_ptr<CostModel> of(const Graph& graph) override;
  double operator_ms(OpId op) override { return ms_[op]; }
  double utilisation(OpId op) override { return utilisation_[op]; }
  /// Each operator adds at least this much to its stage, so the sum is a true lower bound.
  double work_ms(OpId op) override { return 0.5 * ms_[op] * (1 + utilisation_[op]); }
  /// Throws Error for a merge stage, because synthetic operators are not convolutions.
  double stage_ms(const Stage& stage) override;
  double stage_lower_bound_ms(const Stage& stage) override { return stage_ms(stage); }
  double transfer_ms(OpId producer, OpId consumer, int from, int to) override;
  /// Each stated link kind is a class, and all others share one.
  std::int64_t link_class(int from, int to) const override;
  const Topology& topology() const override { return topology_; }
  /// Connects the devices. `local_bytes_per_ms`: bandwidth of the links to which the given transfers refer. For a
  /// stated link kind, a transfer takes its latency, plus a time scaled by the ratio of the bandwidths. Other
  /// transfers stay as given.
  void join(const Topology& topology, double local_bytes_per_ms);

 private:
  double share(const Graph& graph, OpId id) const;
  /// For an edge whose producer is not an input.
  double given_ms(OpId producer, OpId consumer) const;

  Graph graph_;
  std::vector<double> ms_, utilisation_;
  double divisible_;
  Topology topology_;
  double local_bytes_per_ms_ = 1;
  std::vector<int> first_;        ///< range of an operator's predecessors in transfer_
  std::vector<double> transfer_;  ///< in the order of graph_.preds
};

}  // namespace opsched
