#include "schedulers/hios/problem.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "core/error.hpp"

namespace opsched {
namespace {

double checked(double value, const Graph& graph, OpId op, const char* what) {
  if (!(value >= 0 && std::isfinite(value)))
    throw Error("operator '" + graph.op(op).name + "': its " + what + " is " + std::to_string(value) +
                " ms; it must be a non-negative number");
  return value;
}

struct Edge {
  OpId from, to;
};

}  // namespace

HiosProblem::HiosProblem(CostModel& cost, int devices) : cost_(&cost), devices_(devices) {
  const Graph& graph = cost.graph();
  std::vector<Edge> edges;  // ordered by consumer
  for (OpId to : graph.units())
    for (OpId from : graph.preds(to))
      if (!graph.op(from).is_input()) edges.push_back({from, to});

  // Device pairs with equal transfers share a class; device pairs of one link class are queried once.
  const auto ask = [&](int from, int to) {
    std::vector<double> ms;
    ms.reserve(edges.size());
    for (const Edge& e : edges)
      ms.push_back(checked(cost.transfer_ms(e.from, e.to, from, to), graph, e.to, "transfer"));
    return ms;
  };
  if (devices == 1) {
    links_.emplace_back(edges.size(), 0.0);
  } else {
    std::map<std::int64_t, int> asked;  // our class, by link class of the cost model
    link_.assign(static_cast<std::size_t>(devices) * devices, 0);
    for (int from = 0; from < devices; ++from)
      for (int to = 0; to < devices; ++to) {
        if (from == to) continue;
        const auto [it, fresh] = asked.try_emplace(cost.link_class(from, to), 0);
        if (fresh) {
          std::vector<double> ms = ask(from, to);
          const auto known = std::ranges::find(links_, ms);
          it->second = static_cast<int>(known - links_.begin());
          if (known == links_.end()) links_.push_back(std::move(ms));
        }
        link_[from * devices + to] = it->second;
      }
  }
  find_twins();
  worst_ = links_.front();
  for (const auto& ms : links_)
    for (std::size_t e = 0; e < ms.size(); ++e) worst_[e] = std::max(worst_[e], ms[e]);

  // Number the operators by latest start, earliest first: the longest remaining path comes first.
  op_ = graph.units();
  const int n = static_cast<int>(op_.size());
  std::vector<double> rest(graph.size(), 0.0), ms(graph.size(), 0.0);
  for (OpId op : op_) ms[op] = checked(cost.operator_ms(op), graph, op, "latency");
  for (int e = static_cast<int>(edges.size()) - 1, i = n - 1; i >= 0; --i) {
    const OpId op = op_[i];
    rest[op] += ms[op];
    for (; e >= 0 && edges[e].to == op; --e) rest[edges[e].from] = std::max(rest[edges[e].from], worst_[e] + rest[op]);
  }
  std::ranges::stable_sort(op_, [&](OpId a, OpId b) { return rest[a] > rest[b]; });
  std::vector<int> number(graph.size(), -1);
  for (int v = 0; v < n; ++v) {
    number[op_[v]] = v;
    ms_.push_back(ms[op_[v]]);
    rest_.push_back(rest[op_[v]]);
  }

  // Sort edges by consumer, then producer, so that a pass over the operators reads them in memory order.
  const int m = static_cast<int>(edges.size());
  std::vector<int> by_consumer(m);
  std::iota(by_consumer.begin(), by_consumer.end(), 0);
  std::ranges::sort(by_consumer, {}, [&](int e) { return std::pair(number[edges[e].to], number[edges[e].from]); });
  const auto reorder = [&](std::vector<double>& ms_of) {
    std::vector<double> ordered(m);
    for (int e = 0; e < m; ++e) ordered[e] = ms_of[by_consumer[e]];
    ms_of = std::move(ordered);
  };
  reorder(worst_);
  for (auto& link : links_) reorder(link);

  pred_first_.assign(n + 1, 0);
  succ_first_.assign(n + 1, 0);
  for (const Edge& e : edges) {
    ++pred_first_[number[e.to] + 1];
    ++succ_first_[number[e.from] + 1];
  }
  std::partial_sum(pred_first_.begin(), pred_first_.end(), pred_first_.begin());
  std::partial_sum(succ_first_.begin(), succ_first_.end(), succ_first_.begin());
  succ_.resize(m);
  std::vector<int> free(succ_first_.begin(), succ_first_.end() - 1);
  for (int e = 0; e < m; ++e) {
    const int from = number[edges[by_consumer[e]].from], to = number[edges[by_consumer[e]].to];
    pred_.push_back({from, e});
    succ_[free[from]++] = {to, e};
  }
}

void HiosProblem::find_twins() {
  const auto alike = [&](int a, int b) {
    if (link(a, b) != link(b, a)) return false;
    for (int c = 0; c < devices_; ++c)
      if (c != a && c != b && (link(a, c) != link(b, c) || link(c, a) != link(c, b))) return false;
    return true;
  };
  for (int d = 0; d < devices_; ++d) {
    int first = 0;
    while (first < d && (twin_[first] != first || !alike(first, d))) ++first;
    twin_.push_back(first);
  }
}

}  // namespace opsched
