// The stages of a schedule as a graph: exact start times, and the effect of a change on them.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "schedulers/hios/problem.hpp"
#include "schedulers/hios/stage_cost.hpp"

namespace opsched {

/// Operators of every device in execution order, one per stage.
using DeviceOrders = std::vector<std::vector<int>>;

/// Stages, linked in the order of their device. A stage starts at its head, when the previous stage on its device has
/// ended and every input has arrived. Its rest is the longest path from its end to the end of the schedule, so the
/// makespan is the largest head + ms + rest, the same as in opsched::evaluate. A change recomputes only what it
/// affects.
class StageGraph {
 public:
  struct Node {
    double ms = 0, head = 0, rest = 0;
    int device = -1;
    int prev = -1, next = -1;  ///< on the device; -1: none
    int op = -1;               ///< first operator; the others follow by next_op
    int size = 0;              ///< operators; 0: not in use
    double end() const { return head + ms; }
    double tail() const { return ms + rest; }
  };
  /// A position for an operator: in a stage (`into`), or alone after a stage (`after`; -1: first).
  struct Place {
    int device = -1, into = -1, after = -1;
    double length = 0;  ///< longest path through the operator's stage with the operator in it
  };

  StageGraph(const HiosProblem& problem, StageCost& cost);

  /// One operator per stage. Throws Error if stages would wait for each other.
  void assign(const DeviceOrders& orders);

  int devices() const { return static_cast<int>(first_.size()); }
  double makespan() const { return makespan_; }
  int first(int device) const { return first_[device]; }
  const Node& node(int stage) const { return nodes_[stage]; }
  int stage_of(int op) const { return stage_of_[op]; }
  int next_op(int op) const { return next_op_[op]; }

  /// Merges consecutive single-operator stages into one, if the operators are independent, no cycle results and the
  /// makespan does not grow. Returns whether it did.
  bool fuse(std::span<const int> stages);

  /// Removes an operator; heads, rests and makespan then refer to the remaining ones. Returns its position.
  Place remove(int op);
  /// After remove(op): calls visit(Place) for positions where the operator causes no cycle, in stages of up to `width`
  /// operators. Skips positions before a stage that ends before the operator's last input starts, and the mirror
  /// image, which cannot help; and stages whose path would exceed `limit` (which visit may change) even without
  /// additional time for the operator.
  template <class Visit>
  void places(int op, int width, const double& limit, Visit&& visit);
  /// Inserts the removed operator there; heads, rests and makespan are then up to date.
  void insert(int op, const Place& place);

  /// Confirms the latencies of all stages with the cost model; returns whether one changed.
  bool confirm();

  Schedule schedule() const;

 private:
  bool sort();
  void link(int stage, int device, int after);
  void unlink(int stage);
  void release(int stage);
  void seat(int stage);
  int partition(int low, int high, int stage);
  int make_room(int low, int high);
  void move_stage(int to, int stage);
  double stage_ms(int stage);
  double arrival(int op, int device, int except) const;
  double departure(int op, int device, int except) const;
  double head_of(int stage) const;
  double rest_of(int stage) const;
  void mark(int stage);
  void mark_readers(int op);
  void mark_sources(int op);
  void update_heads(int changed);
  void update_rests(int changed);
  bool path_between(std::span<const int> stages);

  const HiosProblem* problem_;
  StageCost* cost_;
  std::vector<Node> nodes_;
  std::vector<int> stage_of_, next_op_;
  std::vector<int> first_, last_;  ///< first and last stage, by device
  std::vector<int> free_;          ///< stages not in use
  std::vector<int> order_;         ///< stages, each after everything it waits for; -1: a free position
  std::vector<int> position_;      ///< of a stage in order_
  std::vector<char> flag_;         ///< by stage; all 0 between calls
  int marked_ = 0, low_ = 0, high_ = 0;
  std::vector<int> ops_, scratch_;
  double makespan_ = 0;
};

template <class Visit>
void StageGraph::places(int op, int width, const double& limit, Visit&& visit) {
  // A stage that leads to the operator is one of its sources or ends before one starts; a stage that
  // follows it reads it or comes behind one that does.
  double last_source = -1, last_reader = -1;
  int both = -1;
  for (const auto [from, edge] : problem_->preds(op)) {
    const int s = stage_of_[from];
    flag_[s] |= 1;
    last_source = std::max(last_source, nodes_[s].head);
  }
  for (const auto [to, edge] : problem_->succs(op)) {
    const int s = stage_of_[to];
    flag_[s] |= 2;
    last_reader = std::max(last_reader, nodes_[s].rest);
    if (flag_[s] == 3) both = s;
  }
  for (int device = 0; device < problem_->devices(); ++device) {
    const double arrives = arrival(op, device, -1), departs = departure(op, device, -1), ms = problem_->ms(op);
    int after = -1;
    for (int s = first_[device];; s = nodes_[s].next) {
      const bool before = s >= 0 && ((flag_[s] & 1) || nodes_[s].end() <= last_source);
      if (both < 0 && !before) {
        const double start = after < 0 ? arrives : std::max(arrives, nodes_[after].end());
        const double rest = s < 0 ? departs : std::max(departs, nodes_[s].tail());
        visit(Place{device, -1, after, start + ms + rest});
      }
      if (s < 0) break;
      const Node& node = nodes_[s];
      if (node.size < width && (both < 0 || both == s)) {
        double start = arrives, rest = departs, source = last_source, reader = last_reader;
        if (flag_[s] != 0) {  // paths through other stages only
          source = reader = -1;
          for (const auto [from, edge] : problem_->preds(op))
            if (const int t = stage_of_[from]; t != s) source = std::max(source, nodes_[t].head);
          for (const auto [to, edge] : problem_->succs(op))
            if (const int t = stage_of_[to]; t != s) reader = std::max(reader, nodes_[t].rest);
          start = arrival(op, device, s);
          rest = departure(op, device, s);
        }
        start = std::max(start, node.head);
        rest = std::max(rest, node.rest);
        if (node.end() > source && node.tail() > reader && start + std::max(node.ms, ms) + rest <= limit) {
          ops_.clear();
          for (int v = node.op; v >= 0; v = next_op_[v]) ops_.push_back(v);
          ops_.push_back(op);
          visit(Place{device, s, -1, start + (*cost_)(ops_) + rest});
        }
      }
      if ((flag_[s] & 2) || node.tail() <= last_reader) break;
      after = s;
    }
  }
  for (const auto [from, edge] : problem_->preds(op)) flag_[stage_of_[from]] = 0;
  for (const auto [to, edge] : problem_->succs(op)) flag_[stage_of_[to]] = 0;
}

}  // namespace opsched
