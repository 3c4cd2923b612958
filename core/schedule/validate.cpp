// validate(): the only place that decides whether a schedule is valid.
#include <algorithm>

#include "core/error.hpp"
#include "core/schedule/order_graph.hpp"

namespace opsched {
namespace {

class Validator {
 public:
  Validator(const Graph& graph, const Schedule& schedule) : graph_(graph), schedule_(schedule) {}

  void run() {
    check_placement();
    slots_ = slots_of(graph_, schedule_);
    check_merges();
    check_dependences();
    const OrderGraph order = order_graph(graph_, schedule_);
    check_acyclic(order);
    if (!schedule_.launch_order.empty()) check_launch_order(order);
    if (!schedule_.priority.empty()) check_priority();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("schedule" + (schedule_.scheduler.empty() ? "" : " by '" + schedule_.scheduler + "'") + " for graph '" +
                graph_.name() + "': " + what);
  }
  std::string name(OpId op) const { return "'" + graph_.op(op).name + "'"; }
  static std::string place(int device, int stage) {
    return "stage " + std::to_string(stage) + " of device " + std::to_string(device);
  }
  std::string place(OpId op) const { return place(slots_[op].device, slots_[op].stage); }

  /// Every unit is placed exactly once; nothing else is, and nothing is empty.
  void check_placement() const {
    std::vector<Slot> seen(graph_.size());
    for (int d = 0; d < static_cast<int>(schedule_.devices.size()); ++d) {
      const auto& stages = schedule_.devices[d].stages;
      for (int s = 0; s < static_cast<int>(stages.size()); ++s) {
        bool empty = true;
        for (const Group& group : stages[s].groups) {
          if (group.empty() && schedule_.mode == Mode::barrier) fail(place(d, s) + " has an empty group");
          for (OpId op : group) {
            empty = false;
            if (op < 0 || op >= graph_.size())
              fail(place(d, s) + ": there is no operator " + std::to_string(op) + "; the graph has " +
                   std::to_string(graph_.size()));
            if (!graph_.op(op).is_unit())
              fail(place(d, s) + ": " + name(op) +
                   (graph_.op(op).is_stack() ? " is split; its strips are scheduled, not it"
                                             : " is an input of the graph; inputs are not scheduled"));
            if (seen[op].placed())
              fail("operator " + name(op) + " is scheduled twice: in " + place(seen[op].device, seen[op].stage) +
                   " and in " + place(d, s));
            seen[op] = {d, s, 0, 0};
          }
        }
        if (empty) fail(place(d, s) + " has no operators");
      }
    }
    for (OpId op = 0; op < graph_.size(); ++op)
      if (graph_.op(op).is_unit() && !seen[op].placed()) fail("operator " + name(op) + " is not scheduled");
  }

  void check_merges() const {
    for (int d = 0; d < static_cast<int>(schedule_.devices.size()); ++d) {
      const auto& stages = schedule_.devices[d].stages;
      for (int s = 0; s < static_cast<int>(stages.size()); ++s) {
        if (stages[s].strategy != Strategy::merge) continue;
        if (stages[s].groups.size() != 1)
          fail(place(d, s) + " is a merge and must have one group, not " + std::to_string(stages[s].groups.size()));
        const Group& group = stages[s].groups.front();
        if (can_merge(graph_, group)) continue;
        // Name the first operator that cannot be merged with those before it.
        std::size_t n = 1;
        while (can_merge(graph_, std::span(group).first(n))) ++n;
        fail(place(d, s) + ": " + name(group[n - 1]) +
             (n == 1
                  ? " cannot be merged: it must be a plain convolution of group count 1 with odd kernels, and no strip"
                  : " cannot be merged with " + name(group[0]) +
                        ": merged convolutions must read the same input and agree in stride, output size, "
                        "activation and centre"));
      }
    }
  }

  /// Checks dependences between operators on one device; check_acyclic covers those across devices.
  void check_dependences() const {
    for (OpId op = 0; op < graph_.size(); ++op) {
      const Slot& to = slots_[op];
      for (OpId p : graph_.preds(op)) {
        const Slot& from = slots_[p];
        if (!from.placed() || from.device != to.device) continue;
        if (from.stage > to.stage)
          fail("operator " + name(op) + " in " + place(op) + " reads " + name(p) + ", which runs later, in " +
               place(p));
        if (from.stage < to.stage) continue;
        if (from.group == to.group && from.position > to.position)
          fail("operator " + name(op) + " in " + place(op) + " reads " + name(p) +
               ", which comes after it in its group");
        if (from.group != to.group && schedule_.mode == Mode::barrier)
          fail("operator " + name(op) + " in " + place(op) + " reads " + name(p) +
               ", which runs beside it in another group; put them into one group, or into two stages");
      }
    }
  }

  void check_acyclic(const OrderGraph& order) const {
    const auto name_of = [&](int v) {
      const OpId op = order.operators[v].front();
      return graph_.op(op).name + "' in '" + place(op);
    };
    try {
      topological_order(order.dag, name_of);
    } catch (const Error& e) {
      fail(std::string(schedule_.mode == Mode::barrier ? "stages" : "streams") + " wait for each other for ever; " +
           e.what());
    }
  }

  void check_launch_order(const OrderGraph& order) const {
    const auto& launch = schedule_.launch_order;
    std::vector<int> at(graph_.size(), -1);
    for (int i = 0; i < static_cast<int>(launch.size()); ++i) {
      const OpId op = launch[i];
      if (op < 0 || op >= graph_.size()) fail("launch order: there is no operator " + std::to_string(op));
      if (!graph_.op(op).is_unit())
        fail("launch order: " + name(op) + (graph_.op(op).is_stack() ? " is split" : " is an input of the graph"));
      if (at[op] >= 0) fail("launch order: operator " + name(op) + " comes twice");
      at[op] = i;
    }
    for (OpId op = 0; op < graph_.size(); ++op)
      if (slots_[op].placed() && at[op] < 0) fail("launch order: operator " + name(op) + " is missing");

    // First and last launched operator of every vertex: edges must run from a last to a first operator.
    const int vertices = static_cast<int>(order.operators.size());
    std::vector<OpId> first(vertices), last(vertices);
    for (int v = 0; v < vertices; ++v) {
      const auto& ops = order.operators[v];
      const auto when = [&](OpId op) { return at[op]; };
      first[v] = *std::ranges::min_element(ops, {}, when);
      last[v] = *std::ranges::max_element(ops, {}, when);
      const Slot& slot = slots_[ops.front()];
      const Stage& stage = schedule_.devices[slot.device].stages[slot.stage];
      if (stage.strategy == Strategy::merge && at[last[v]] - at[first[v]] != static_cast<int>(ops.size()) - 1)
        fail("launch order: the operators merged in " + place(ops.front()) + " must stand together");
      if (schedule_.mode == Mode::barrier && stage.strategy == Strategy::concurrent)
        for (const Group& group : stage.groups)
          for (std::size_t i = 1; i < group.size(); ++i)
            if (at[group[i - 1]] > at[group[i]])
              fail("launch order: " + name(group[i]) + " comes before " + name(group[i - 1]) +
                   ", its predecessor in its group in " + place(group[i]));
    }
    for (auto [it, end] = boost::edges(order.dag); it != end; ++it) {
      const OpId before = last[boost::source(*it, order.dag)], after = first[boost::target(*it, order.dag)];
      if (at[before] > at[after])
        fail("launch order: " + name(after) + " in " + place(after) + " comes before " + name(before) + " in " +
             place(before) + ", which must be launched first");
    }
  }

  void check_priority() const {
    const auto& priority = schedule_.priority;
    if (static_cast<int>(priority.size()) != graph_.size())
      fail("there are priorities for " + std::to_string(priority.size()) + " operators; the graph has " +
           std::to_string(graph_.size()));
    for (OpId op = 0; op < graph_.size(); ++op)
      if (priority[op] < 0 || priority[op] > kMostPriority)
        fail("the priority of " + name(op) + " must be from 0 to " + std::to_string(kMostPriority) + ", not " +
             std::to_string(priority[op]));
  }

  const Graph& graph_;
  const Schedule& schedule_;
  std::vector<Slot> slots_;
};

}  // namespace

void validate(const Graph& graph, const Schedule& schedule) {
  Validator(*scheduled_graph(graph, schedule), schedule).run();
}

}  // namespace opsched
