// Made-up costs of HIOS's simulations (CLUSTER 2023, section V): no device behind them.
#pragma once

#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// What it costs to move a producer's output to a consumer on another device.
struct SyntheticTransfer {
  OpId producer, consumer;
  double ms;
};

/// Latency t and utilisation u of every operator and w of every edge, all given. Operators that run
/// side by side on one device take 0.5 * sum(t) + 0.5 * max(sum(t * u), max over groups of sum(t)):
/// half way between one after another and perfect sharing. Transfers cost the same between any two
/// devices, but for what join() says; nothing within a device, and graph inputs are everywhere.
class SyntheticCost : public CostModel {
 public:
  /// `ms` (t, at least 0) and `utilisation` (u, in (0, 1]) are indexed by OpId; values of graph inputs
  /// are ignored. Edges without a transfer cost nothing. `divisible`: share of a latency, in [0, 1], that strips of
  /// the operator divide among them by their rows or images; each has the rest whole. Throws Error naming the operator
  /// where a value is out of range or a transfer is not an edge of the graph.
  SyntheticCost(Graph graph, std::vector<double> ms, std::vector<double> utilisation,
                const std::vector<SyntheticTransfer>& transfers, double divisible = 1);

  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return Provenance::synthetic; }
  /// Transfers cost by their share of the bytes; utilisations stay. What puts strips together costs nothing, nor does
  /// moving strips there.
  std::unique_ptr<CostModel> of(const Graph& graph) override;
  double operator_ms(OpId op) override { return ms_[op]; }
  double utilisation(OpId op) override { return utilisation_[op]; }
  /// Each operator adds at least this to its stage, so the sum is a true lower bound.
  double work_ms(OpId op) override { return 0.5 * ms_[op] * (1 + utilisation_[op]); }
  /// Throws Error for a merge stage: synthetic operators are no convolutions.
  double stage_ms(const Stage& stage) override;
  double stage_lower_bound_ms(const Stage& stage) override { return stage_ms(stage); }
  double transfer_ms(OpId producer, OpId consumer, int from, int to) override;
  /// The kinds that are stated are classes, and all others one.
  std::int64_t link_class(int from, int to) const override;
  const Topology& topology() const override { return topology_; }
  /// Joins the devices so. `local_bytes_per_ms`: bandwidth of the links that the given transfers are of; one of a
  /// kind that the topology states takes that link's latency, and its own by the ratio of the bandwidths. What is not
  /// stated is as given.
  void join(const Topology& topology, double local_bytes_per_ms);

 private:
  double share(const Graph& graph, OpId id) const;
  /// Of an edge, whose producer is no input.
  double given_ms(OpId producer, OpId consumer) const;

  Graph graph_;
  std::vector<double> ms_, utilisation_;
  double divisible_;
  Topology topology_;
  double local_bytes_per_ms_ = 1;
  std::vector<int> first_;        ///< of an operator's predecessors in transfer_
  std::vector<double> transfer_;  ///< in the order of graph_.preds
};

}  // namespace opsched
