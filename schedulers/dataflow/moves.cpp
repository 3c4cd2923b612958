#include "schedulers/dataflow/moves.hpp"

#include <algorithm>
#include <random>

namespace opsched {
namespace {

class Mover {
 public:
  /// `random` must outlive it.
  Mover(const Graph& graph, const DataflowPlan& start, int most_streams, std::mt19937_64& random)
      : edges_(edges_of(graph, start)), most_streams_(most_streams), random_(random) {}

  /// Changes the plan; false if the chosen change has no effect.
  bool move(DataflowPlan& plan) {
    switch (below(5)) {
      case 0:
        return exchange_rests(plan);
      case 1:
      case 2:
        return change_place(plan);
      default:
        return change_stream(plan);
    }
  }

 private:
  int below(std::size_t n) { return static_cast<int>(random_() % n); }
  static bool is_merge(const DataflowPlan& plan, int unit) { return plan.units[unit].size() > 1; }

  bool change_stream(DataflowPlan& plan) {
    const int unit = below(plan.units.size());
    if (is_merge(plan, unit)) return false;
    const auto &preds = edges_.preds[unit], &succs = edges_.succs[unit];
    const std::size_t near = preds.size() + succs.size();
    int stream = 0;
    if (near > 0 && below(3) > 0) {
      const std::size_t i = below(near);
      stream = plan.stream[i < preds.size() ? preds[i] : succs[i - preds.size()]];
    } else {
      const int used = 1 + *std::ranges::max_element(plan.stream);
      stream = below(std::min(used + 1, most_streams_));
    }
    if (stream == plan.stream[unit]) return false;
    plan.stream[unit] = stream;
    return true;
  }

  bool change_place(DataflowPlan& plan) {
    const int from = below(plan.order.size());
    const int unit = plan.order[from];
    // The places that the unit's predecessors and successors allow.
    int first = from, last = from;
    const auto among = [](const std::vector<int>& units, int u) { return std::ranges::binary_search(units, u); };
    while (first > 0 && !among(edges_.preds[unit], plan.order[first - 1])) --first;
    while (last + 1 < static_cast<int>(plan.order.size()) && !among(edges_.succs[unit], plan.order[last + 1])) ++last;
    const int to = first + below(last - first + 1);
    const auto at = plan.order.begin();
    if (to < from)
      std::rotate(at + to, at + from, at + from + 1);
    else
      std::rotate(at + from, at + from + 1, at + to + 1);
    return to != from;
  }

  bool exchange_rests(DataflowPlan& plan) {
    const int used = 1 + *std::ranges::max_element(plan.stream);
    const int a = below(used), b = below(used);
    if (a == b) return false;
    bool changed = false;
    for (std::size_t i = below(plan.order.size()); i < plan.order.size(); ++i) {
      int& stream = plan.stream[plan.order[i]];
      if ((stream != a && stream != b) || is_merge(plan, plan.order[i])) continue;
      stream = stream == a ? b : a;
      changed = true;
    }
    return changed;
  }

  UnitEdges edges_;
  int most_streams_;
  std::mt19937_64& random_;
};

}  // namespace

DataflowPlan changed(const Graph& graph, DataflowPlan plan, int changes, int most_streams, std::mt19937_64& random) {
  Mover mover(graph, plan, most_streams, random);
  for (int i = 0; i < changes; ++i) mover.move(plan);
  return plan;
}

DataflowPlan improved(const Graph& graph, const DataflowPlan& start,
                      const std::function<double(const DataflowPlan&)>& ms, const MoveOptions& options) {
  constexpr std::size_t kMemory = 40;
  std::mt19937_64 random(options.seed);
  Mover mover(graph, start, options.most_streams, random);
  DataflowPlan current = start, best = start;
  double current_ms = ms(start), best_ms = current_ms;
  std::vector<double> memory(kMemory, current_ms);
  DataflowPlan next;
  for (int i = 0; i < options.tries; ++i) {
    next = current;
    if (!mover.move(next)) continue;
    const double next_ms = ms(next);
    double& earlier = memory[static_cast<std::size_t>(i) % kMemory];
    if (next_ms <= current_ms || next_ms <= earlier) {
      std::swap(current, next);
      current_ms = next_ms;
    }
    earlier = current_ms;
    if (current_ms < best_ms) {
      best = current;
      best_ms = current_ms;
    }
  }
  return best;
}

}  // namespace opsched
