#include "core/cost/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/cost/transfer.hpp"
#include "core/error.hpp"
#include "core/graph/strips.hpp"

namespace opsched {

SyntheticCost::SyntheticCost(Graph graph, std::vector<double> ms, std::vector<double> utilisation,
                             const std::vector<SyntheticTransfer>& transfers, double divisible)
    : graph_(std::move(graph)), ms_(std::move(ms)), utilisation_(std::move(utilisation)), divisible_(divisible) {
  if (!(divisible >= 0 && divisible <= 1))
    throw Error("synthetic costs of graph '" + graph_.name() + "': the divisible share must be between 0 and 1");
  const std::size_t n = graph_.size();
  if (ms_.size() != n || utilisation_.size() != n)
    throw Error("synthetic costs of graph '" + graph_.name() + "': " + std::to_string(n) + " operators, but " +
                std::to_string(ms_.size()) + " latencies and " + std::to_string(utilisation_.size()) + " utilisations");
  first_.reserve(n + 1);
  first_.push_back(0);
  for (OpId id = 0; id < graph_.size(); ++id) {
    first_.push_back(first_.back() + static_cast<int>(graph_.preds(id).size()));
    if (!graph_.op(id).is_unit()) {
      ms_[id] = 0;
      utilisation_[id] = 1;
    }
    if (!(ms_[id] >= 0 && std::isfinite(ms_[id])))
      throw Error("operator '" + graph_.op(id).name + "': its latency must be a non-negative number");
    if (!(utilisation_[id] > 0 && utilisation_[id] <= 1))
      throw Error("operator '" + graph_.op(id).name + "': its utilisation must be above 0 and at most 1");
  }
  transfer_.assign(first_.back(), 0.0);
  for (const auto& [producer, consumer, cost] : transfers) {
    if (consumer < 0 || consumer >= graph_.size())
      throw Error("synthetic costs of graph '" + graph_.name() + "': no operator " + std::to_string(consumer));
    const auto preds = graph_.preds(consumer);
    const auto it = std::ranges::lower_bound(preds, producer);
    if (it == preds.end() || *it != producer)
      throw Error("operator '" + graph_.op(consumer).name + "' does not read operator " + std::to_string(producer) +
                  ", so there is no transfer");
    if (!(cost >= 0 && std::isfinite(cost)))
      throw Error("operator '" + graph_.op(consumer).name + "': the transfer of '" + graph_.op(producer).name +
                  "' must be a non-negative number");
    transfer_[first_[consumer] + (it - preds.begin())] = cost;
  }
}

/// The fraction of an operator's latency that a strip takes. Joining strips takes none.
double SyntheticCost::share(const Graph& graph, OpId id) const {
  const OpId whole = graph.origin(id);
  const auto split = std::ranges::find(graph.splits(), whole, &Split::op);
  if (split == graph.splits().end()) return 1;
  const int strip = graph.strip(id);
  if (strip < 0) return 0;
  const int all = extent(graph_.op(whole), graph_.batch(), split->along);
  return 1 - divisible_ + divisible_ * range_of(*split, strip, all).size() / all;
}

std::unique_ptr<CostModel> SyntheticCost::of(const Graph& graph) {
  if (!graph_.splits().empty() || graph.unsplit().size() != graph_.size())
    throw Error("synthetic costs of graph '" + graph_.name() + "' do not apply to graph '" + graph.name() + "'");
  std::vector<double> ms, utilisation;
  std::vector<SyntheticTransfer> transfers;
  for (OpId id = 0; id < graph.size(); ++id) {
    const OpId whole = graph.origin(id);
    ms.push_back(ms_[whole] * share(graph, id));
    utilisation.push_back(utilisation_[whole]);
    for (OpId p : graph.preds(id)) {
      const OpId from = graph.origin(p);
      if (from == whole) continue;  // the join of strips
      const double bytes = static_cast<double>(transfer_bytes(graph, p, id, Precision::fp32));
      const double all = static_cast<double>(transfer_bytes(graph_, from, whole, Precision::fp32));
      transfers.push_back({p, id, (graph_.op(from).is_input() ? 0 : given_ms(from, whole)) * bytes / all});
    }
  }
  auto costs = std::make_unique<SyntheticCost>(graph, std::move(ms), std::move(utilisation), transfers);
  costs->join(topology_, local_bytes_per_ms_);
  return costs;
}

double SyntheticCost::stage_ms(const Stage& stage) {
  if (stage.strategy == Strategy::merge) throw Error("synthetic operators cannot be merged into one convolution");
  double work = 0, busy = 0, longest = 0;
  for (const Group& group : stage.groups) {
    double length = 0;
    for (OpId op : group) {
      length += ms_[op];
      busy += ms_[op] * utilisation_[op];
    }
    work += length;
    longest = std::max(longest, length);
  }
  return 0.5 * work + 0.5 * std::max(busy, longest);
}

void SyntheticCost::join(const Topology& topology, double local_bytes_per_ms) {
  if (!(local_bytes_per_ms > 0 && std::isfinite(local_bytes_per_ms)))
    throw Error("synthetic costs of graph '" + graph_.name() + "': the link bandwidth must be above 0 bytes per ms");
  topology_ = topology;
  local_bytes_per_ms_ = local_bytes_per_ms;
}

std::int64_t SyntheticCost::link_class(int from, int to) const {
  const LinkKind kind = topology_.kind(from, to);
  return topology_.stated(kind) == nullptr ? -1 : static_cast<std::int64_t>(kind);
}

double SyntheticCost::transfer_ms(OpId producer, OpId consumer, int from, int to) {
  if (from == to || graph_.op(producer).is_input()) return 0;
  const double ms = given_ms(producer, consumer);
  const LinkCost* stated = topology_.stated(topology_.kind(from, to));
  // Moving nothing costs nothing over any link.
  return stated == nullptr || ms == 0 ? ms : stated->latency_ms + ms * (local_bytes_per_ms_ / stated->bytes_per_ms);
}

double SyntheticCost::given_ms(OpId producer, OpId consumer) const {
  const auto preds = graph_.preds(consumer);
  const auto it = std::ranges::lower_bound(preds, producer);
  return it == preds.end() || *it != producer ? 0 : transfer_[first_[consumer] + (it - preds.begin())];
}

}  // namespace opsched
