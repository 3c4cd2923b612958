#include "schedulers/hios/stage_graph.hpp"

#include <utility>

#include "core/error.hpp"

namespace opsched {

StageGraph::StageGraph(const HiosProblem& problem, StageCost& cost)
    : problem_(&problem),
      cost_(&cost),
      nodes_(problem.size()),
      stage_of_(problem.size(), -1),
      next_op_(problem.size(), -1),
      first_(problem.devices(), -1),
      last_(problem.devices(), -1),
      order_(problem.size(), -1),
      position_(problem.size(), -1),
      flag_(problem.size(), 0) {}

void StageGraph::assign(const DeviceOrders& orders) {
  std::ranges::fill(first_, -1);
  std::ranges::fill(last_, -1);
  std::ranges::fill(stage_of_, -1);
  std::ranges::fill(next_op_, -1);
  std::ranges::fill(nodes_, Node{});
  for (int device = 0; device < static_cast<int>(orders.size()); ++device)
    for (int v : orders[device]) {
      nodes_[v] = {.ms = problem_->ms(v), .op = v, .size = 1};
      stage_of_[v] = v;
      link(v, device, last_[device]);
    }
  free_.clear();
  for (int s = 0; s < problem_->size(); ++s)
    if (nodes_[s].size == 0) free_.push_back(s);
  if (!sort())
    throw Error("graph '" + problem_->cost().graph().name() + "': the order given makes stages wait for each other");
}

void StageGraph::link(int stage, int device, int after) {
  Node& node = nodes_[stage];
  node.device = device;
  node.prev = after;
  node.next = after < 0 ? first_[device] : nodes_[after].next;
  (after < 0 ? first_[device] : nodes_[after].next) = stage;
  (node.next < 0 ? last_[device] : nodes_[node.next].prev) = stage;
}

void StageGraph::unlink(int stage) {
  const Node& node = nodes_[stage];
  (node.prev < 0 ? first_[node.device] : nodes_[node.prev].next) = node.next;
  (node.next < 0 ? last_[node.device] : nodes_[node.next].prev) = node.prev;
}

/// Removes an empty stage from its device and position.
void StageGraph::release(int stage) {
  unlink(stage);
  order_[position_[stage]] = -1;
  nodes_[stage] = {};
  free_.push_back(stage);
}

double StageGraph::stage_ms(int stage) {
  ops_.clear();
  for (int v = nodes_[stage].op; v >= 0; v = next_op_[v]) ops_.push_back(v);
  return (*cost_)(ops_);
}

double StageGraph::arrival(int op, int device, int except) const {
  double latest = 0;
  for (const auto arc : problem_->preds(op)) {
    const int s = stage_of_[arc.op];
    if (s < 0 || s == except) continue;
    latest = std::max(latest, nodes_[s].end() + problem_->transfer(arc.edge, nodes_[s].device, device));
  }
  return latest;
}

double StageGraph::departure(int op, int device, int except) const {
  double longest = 0;
  for (const auto arc : problem_->succs(op)) {
    const int s = stage_of_[arc.op];
    if (s < 0 || s == except) continue;
    longest = std::max(longest, nodes_[s].tail() + problem_->transfer(arc.edge, device, nodes_[s].device));
  }
  return longest;
}

double StageGraph::head_of(int stage) const {
  const Node& node = nodes_[stage];
  double head = node.prev < 0 ? 0 : nodes_[node.prev].end();
  for (int v = node.op; v >= 0; v = next_op_[v]) head = std::max(head, arrival(v, node.device, stage));
  return head;
}

double StageGraph::rest_of(int stage) const {
  const Node& node = nodes_[stage];
  double rest = node.next < 0 ? 0 : nodes_[node.next].tail();
  for (int v = node.op; v >= 0; v = next_op_[v]) rest = std::max(rest, departure(v, node.device, stage));
  return rest;
}

void StageGraph::mark(int stage) {
  if (stage < 0 || flag_[stage]) return;
  flag_[stage] = 1;
  low_ = marked_ == 0 ? position_[stage] : std::min(low_, position_[stage]);
  high_ = marked_ == 0 ? position_[stage] : std::max(high_, position_[stage]);
  ++marked_;
}

void StageGraph::mark_sources(int op) {
  for (const auto [from, edge] : problem_->preds(op)) mark(stage_of_[from]);
}

void StageGraph::mark_readers(int op) {
  for (const auto [to, edge] : problem_->succs(op)) mark(stage_of_[to]);
}

/// Recomputes the heads of the marked stages and of everything affected. `changed` may have a new latency and new
/// operators.
void StageGraph::update_heads(int changed) {
  for (int i = low_; marked_ > 0; ++i) {
    const int s = order_[i];
    if (s < 0 || !flag_[s]) continue;
    flag_[s] = 0;
    --marked_;
    const double head = head_of(s);
    if (head == std::exchange(nodes_[s].head, head) && s != changed) continue;
    mark(nodes_[s].next);
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v])
      for (const auto [to, edge] : problem_->succs(v))
        if (stage_of_[to] != s) mark(stage_of_[to]);
  }
  makespan_ = 0;
  for (int s : last_)
    if (s >= 0) makespan_ = std::max(makespan_, nodes_[s].end());
}

void StageGraph::update_rests(int changed) {
  for (int i = high_; marked_ > 0; --i) {
    const int s = order_[i];
    if (s < 0 || !flag_[s]) continue;
    flag_[s] = 0;
    --marked_;
    const double rest = rest_of(s);
    if (rest == std::exchange(nodes_[s].rest, rest) && s != changed) continue;
    mark(nodes_[s].prev);
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v])
      for (const auto [from, edge] : problem_->preds(v))
        if (stage_of_[from] != s) mark(stage_of_[from]);
  }
}

StageGraph::Place StageGraph::remove(int op) {
  const int s = stage_of_[op], before = nodes_[s].prev, behind = nodes_[s].next;
  Node& node = nodes_[s];
  Place home{node.device, -1, before, 0};
  int* link = &node.op;
  while (*link != op) link = &next_op_[*link];
  *link = std::exchange(next_op_[op], -1);
  stage_of_[op] = -1;
  int changed = -1;
  if (--node.size == 0) {
    release(s);
  } else {
    home = {node.device, s, -1, 0};
    node.ms = stage_ms(s);
    changed = s;
  }
  mark(changed < 0 ? behind : changed);
  mark_readers(op);
  update_heads(changed);
  mark(changed < 0 ? before : changed);
  mark_sources(op);
  update_rests(changed);
  return home;
}

void StageGraph::insert(int op, const Place& place) {
  int s = place.into;
  if (s < 0) {
    s = free_.back();
    free_.pop_back();
    nodes_[s] = {};
    position_[s] = -1;
    link(s, place.device, place.after);
  }
  Node& node = nodes_[s];
  next_op_[op] = std::exchange(node.op, op);
  stage_of_[op] = s;
  ++node.size;
  node.ms = stage_ms(s);
  seat(s);
  mark(s);
  update_heads(s);
  mark(s);
  update_rests(s);
}

bool StageGraph::path_between(std::span<const int> stages) {
  // Only stages that start after one of these has ended can lie on such a path.
  double earliest = nodes_[stages[0]].end();
  for (int s : stages) earliest = std::min(earliest, nodes_[s].end());
  const auto member = [&](int s) { return std::ranges::find(stages, s) != stages.end(); };
  std::vector<int>& stack = ops_;
  std::vector<int>& seen = scratch_;
  stack.clear();
  seen.clear();
  const auto visit = [&](int s) {
    if (s < 0 || flag_[s] || nodes_[s].head < earliest) return;
    flag_[s] = 1;
    seen.push_back(s);
    stack.push_back(s);
  };
  for (int s : stages) flag_[s] = 1;
  for (int s : stages) {
    visit(nodes_[s].prev);
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v])
      for (const auto arc : problem_->preds(v)) visit(stage_of_[arc.op]);
  }
  bool found = false;
  while (!stack.empty() && !found) {
    const int s = stack.back();
    stack.pop_back();
    found = found || (nodes_[s].prev >= 0 && member(nodes_[s].prev));
    visit(nodes_[s].prev);
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v])
      for (const auto arc : problem_->preds(v)) {
        found = found || member(stage_of_[arc.op]);
        visit(stage_of_[arc.op]);
      }
  }
  for (int s : stages) flag_[s] = 0;
  for (int s : seen) flag_[s] = 0;
  seen.clear();
  return found;
}

bool StageGraph::fuse(std::span<const int> stages) {
  const int device = nodes_[stages[0]].device, before = nodes_[stages.front()].prev,
            behind = nodes_[stages.back()].next;
  double start = before < 0 ? 0 : nodes_[before].end(), rest = behind < 0 ? 0 : nodes_[behind].tail();
  for (int s : stages) {
    const int v = nodes_[s].op;
    for (const auto arc : problem_->preds(v))
      if (std::ranges::find(stages, stage_of_[arc.op]) != stages.end()) return false;
    start = std::max(start, arrival(v, device, -1));
    rest = std::max(rest, departure(v, device, -1));
  }
  if (start + rest > makespan_) return false;
  ops_.clear();
  for (int s : stages) ops_.push_back(nodes_[s].op);
  const double ms = (*cost_)(ops_);
  // Paths that avoid the new stage are not longer than before, so only paths through it matter. The slack allows for
  // rounding in sums of different order.
  if (start + ms + rest > makespan_ * (1 + 1e-12) || path_between(stages)) return false;

  Node& kept = nodes_[stages[0]];
  kept.ms = ms;
  kept.size = static_cast<int>(stages.size());
  for (int s : stages.subspan(1)) {
    const int v = nodes_[s].op;
    release(s);
    next_op_[v] = std::exchange(next_op_[kept.op], v);
    stage_of_[v] = stages[0];
  }
  seat(stages[0]);
  mark(stages[0]);
  update_heads(stages[0]);
  mark(stages[0]);
  update_rests(stages[0]);
  return true;
}

bool StageGraph::confirm() {
  if (!cost_->estimates()) return false;
  std::vector<Stage> stages;
  for (const DeviceSchedule& device : schedule().devices)
    stages.insert(stages.end(), device.stages.begin(), device.stages.end());
  problem_->cost().prefetch(stages);
  bool differs = false;
  for (int s = 0; s < problem_->size(); ++s) {
    if (nodes_[s].size < 2) continue;
    ops_.clear();
    for (int v = nodes_[s].op; v >= 0; v = next_op_[v]) ops_.push_back(v);
    differs = cost_->confirm(ops_) || differs;
    nodes_[s].ms = (*cost_)(ops_);
  }
  if (differs) sort();
  return differs;
}

Schedule StageGraph::schedule() const {
  Schedule schedule;
  schedule.devices.resize(problem_->devices());
  std::vector<int> ops;
  for (int device = 0; device < problem_->devices(); ++device)
    for (int s = first_[device]; s >= 0; s = nodes_[s].next) {
      ops.clear();
      for (int v = nodes_[s].op; v >= 0; v = next_op_[v]) ops.push_back(v);
      schedule.devices[device].stages.push_back(cost_->stage(ops));
    }
  return schedule;
}

}  // namespace opsched
