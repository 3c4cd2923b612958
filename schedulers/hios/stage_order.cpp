// Positions of the stages of a StageGraph: an order in which each stage comes after everything it waits for.
#include <algorithm>

#include "schedulers/hios/stage_graph.hpp"

namespace opsched {

/// Orders all stages and computes all heads and rests; false if there is a cycle.
bool StageGraph::sort() {
  std::vector<int> waiting(problem_->size(), 0);
  std::vector<int>& order = scratch_;
  order.clear();
  int used = 0;
  for (int s = 0; s < problem_->size(); ++s) {
    const Node& node = nodes_[s];
    if (node.size == 0) continue;
    ++used;
    waiting[s] = node.prev >= 0;
    for (int v = node.op; v >= 0; v = next_op_[v])
      for (const auto [from, edge] : problem_->preds(v)) waiting[s] += stage_of_[from] >= 0 && stage_of_[from] != s;
    if (waiting[s] == 0) order.push_back(s);
  }
  makespan_ = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const int s = order[i];
    nodes_[s].head = head_of(s);
    makespan_ = std::max(makespan_, nodes_[s].end());
    const auto release_one = [&](int t) {
      if (--waiting[t] == 0) order.push_back(t);
    };
    if (nodes_[s].next >= 0) release_one(nodes_[s].next);
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v])
      for (const auto [to, edge] : problem_->succs(v))
        if (const int t = stage_of_[to]; t >= 0 && t != s) release_one(t);
  }
  if (static_cast<int>(order.size()) != used) return false;
  for (std::size_t i = order.size(); i-- > 0;) nodes_[order[i]].rest = rest_of(order[i]);
  std::ranges::fill(order_, -1);
  for (int i = 0; i < used; ++i) move_stage(i, order[i]);
  return true;
}

void StageGraph::move_stage(int to, int stage) {
  order_[to] = stage;
  if (stage >= 0) position_[stage] = to;
}

/// Gives a stage a position after everything it waits for and before everything that waits for it.
void StageGraph::seat(int stage) {
  const Node& node = nodes_[stage];
  int low = node.prev < 0 ? -1 : position_[node.prev];
  int high = node.next < 0 ? problem_->size() : position_[node.next];
  for (int v = node.op; v >= 0; v = next_op_[v]) {
    for (const auto [from, edge] : problem_->preds(v))
      if (const int t = stage_of_[from]; t >= 0 && t != stage) low = std::max(low, position_[t]);
    for (const auto [to, edge] : problem_->succs(v))
      if (const int t = stage_of_[to]; t >= 0 && t != stage) high = std::min(high, position_[t]);
  }
  const int now = position_[stage];
  if (now >= 0 && order_[now] == stage) {
    if (low < now && now < high) return;
    order_[now] = -1;
  }
  if (low > high) {
    high = partition(high, low, stage);
    low = high - 1;
  }
  move_stage(make_room(low, high), stage);
}

/// Moves everything that a stage waits for to the front of positions [low, high]; returns the position after the last
/// of them.
int StageGraph::partition(int low, int high, int stage) {
  const auto flag_sources = [&](int s) {
    if (nodes_[s].prev >= 0) flag_[nodes_[s].prev] = 1;
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v])
      for (const auto [from, edge] : problem_->preds(v))
        if (stage_of_[from] >= 0) flag_[stage_of_[from]] = 1;
  };
  flag_sources(stage);
  for (int i = high; i >= low; --i)
    if (order_[i] >= 0 && flag_[order_[i]]) flag_sources(order_[i]);
  scratch_.clear();
  int front = low;
  for (int i = low; i <= high; ++i) {
    const int s = order_[i];
    if (s >= 0 && flag_[s])
      move_stage(front++, s);
    else
      scratch_.push_back(s);
  }
  for (int i = front; i <= high; ++i) move_stage(i, scratch_[i - front]);
  std::ranges::fill(flag_, 0);
  return front;
}

/// A free position between two positions, made by shifting others to the nearest free one if necessary.
int StageGraph::make_room(int low, int high) {
  const int size = static_cast<int>(order_.size());
  for (int i = low + 1; i < high; ++i)
    if (order_[i] < 0) return i;
  int left = low, right = high;
  for (;; --left, ++right) {
    if (right < size && order_[right] < 0) {
      for (int i = right; i > high; --i) move_stage(i, order_[i - 1]);
      return high;
    }
    if (left >= 0 && order_[left] < 0) {
      for (int i = left; i < low; ++i) move_stage(i, order_[i + 1]);
      return low;
    }
  }
}

}  // namespace opsched
