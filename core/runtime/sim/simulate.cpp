#include "core/runtime/sim/simulate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <queue>
#include <tuple>

#include "core/cost/contention/features.hpp"
#include "core/runtime/sim/links.hpp"

namespace opsched {
namespace {

constexpr double kNothing = 1e-4;  // ms; joins written in place cost less, and have no kernel

/// Extra time of an operator compared with running it repeatedly.
double switching_ms(Latencies& cost, const ContentionLaw& law, OpId op) {
  if (cost.operator_ms(op) < kNothing) return 0;
  return is_chain(cost.graph().op(op)) ? law.chain_switch_ms : law.switch_ms;
}

/// Which operators read from, or are read by, another device.
std::vector<bool> remote_operators(const Graph& graph, const std::vector<Slot>& slots) {
  std::vector<bool> remote(graph.size(), false);
  const auto link = [&](OpId reader, OpId op, int device) {
    if (slots[reader].device != device) remote[reader] = remote[op] = true;
  };
  for (OpId op : graph.inputs())
    for (OpId reader : graph.succs(op)) link(reader, op, input_device(graph, slots, op));
  for (OpId op : graph.units())
    for (OpId reader : graph.succs(op)) link(reader, op, slots[op].device);
  return remote;
}

/// One run in dataflow mode. A unit is an operator, or all operators of a merge.
class DataflowRun {
 public:
  DataflowRun(Latencies& cost, const ContentionLaw& law, const Schedule& schedule)
      : cost_(cost), graph_(cost.graph()), law_(law), slots_(slots_of(graph_, schedule)) {
    make_units(schedule);
  }

  Simulation run() {
    for (std::size_t u = 0; u < units_.size(); ++u)
      if (units_[u].waits == 0) starts_.emplace(law_.launch_ms, static_cast<int>(u));
    for (OpId op : graph_.inputs()) hand_out_input(op);
    while (true) {
      const int device = next_device();
      const double next = device < 0 ? kNever : devices_[device].next;
      if (!starts_.empty() && starts_.top().first <= next) {
        const auto [at, unit] = starts_.top();
        starts_.pop();
        start(unit, at);
      } else if (device >= 0) {
        proceed(device, next);
      } else {
        break;
      }
    }
    return collect();
  }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  struct Unit {
    std::vector<OpId> ops;
    int device = 0, stream = 0;
    int next = -1;  ///< next unit on the same stream
    int waits = 0;  ///< incoming edges from units that have not ended
    double ms = 0, utilisation = 0;
    double starting_ms = 0;  ///< part of `ms` in which it does not use the device
    double ready = 0, start = 0, end = 0;
  };
  struct Running {
    int unit;
    double starting;  ///< ms until it uses the device
    double left, rate;
  };
  struct Device {
    std::vector<Running> running;
    double now = 0, next = kNever;  ///< next: when an operator ends or begins to use the device
  };

  void make_units(const Schedule& schedule) {
    unit_of_.assign(graph_.size(), -1);
    const std::vector<bool> remote = remote_operators(graph_, slots_);
    devices_.resize(schedule.devices.size());
    for (std::size_t d = 0; d < schedule.devices.size(); ++d) {
      std::map<int, int> last;  // unit on each stream
      for (const Stage& stage : schedule.devices[d].stages)
        for (std::size_t g = 0; g < stage.groups.size(); ++g) {
          const auto add = [&](std::vector<OpId> ops, double ms, double utilisation) {
            const int id = static_cast<int>(units_.size());
            Unit unit;
            unit.device = static_cast<int>(d);
            unit.stream = static_cast<int>(g);
            for (OpId op : ops) unit_of_[op] = id;
            unit.ops = std::move(ops);
            unit.utilisation = utilisation;
            unit.ms = ms + switching_ms(cost_, law_, unit.ops.front());
            unit.starting_ms = std::min(law_.start_ms, ms);
            if (ms > kNothing && std::ranges::any_of(unit.ops, [&](OpId op) { return remote[op]; })) {
              unit.ms += law_.remote_ms;
              unit.starting_ms += law_.remote_ms;
            }
            if (const auto it = last.find(unit.stream); it != last.end()) {
              units_[it->second].next = id;
              unit.waits = 1;
            }
            last[unit.stream] = id;
            units_.push_back(std::move(unit));
          };
          if (stage.strategy == Strategy::merge) {
            double utilisation = 0;
            for (OpId op : stage.groups[g]) utilisation += cost_.utilisation(op);
            add(stage.groups[g], cost_.stage_ms(stage), std::min(1.0, utilisation));
          } else {
            for (OpId op : stage.groups[g]) add({op}, cost_.operator_ms(op), cost_.utilisation(op));
          }
        }
    }
    for (OpId op = 0; op < graph_.size(); ++op)
      if (unit_of_[op] >= 0)
        for (OpId reader : graph_.succs(op)) ++units_[unit_of_[reader]].waits;
    for (OpId op : graph_.inputs())
      for (OpId reader : graph_.succs(op))
        if (slots_[reader].device != input_device(graph_, slots_, op)) ++units_[unit_of_[reader]].waits;
  }

  int next_device() const {
    int best = -1;
    for (std::size_t d = 0; d < devices_.size(); ++d)
      if (!devices_[d].running.empty() && (best < 0 || devices_[d].next < devices_[best].next))
        best = static_cast<int>(d);
    return best;
  }

  void advance(Device& device, double now) {
    for (Running& r : device.running) {
      const double started = std::min(r.starting, now - device.now);
      r.starting -= started;
      r.left -= (now - device.now - started) * r.rate;
    }
    device.now = now;
  }

  void set_rates(Device& device) {
    double total = 0;
    int sharing = 0;
    for (const Running& r : device.running) {
      if (r.starting > 0) continue;
      total += units_[r.unit].utilisation;
      ++sharing;
    }
    device.next = kNever;
    for (Running& r : device.running) {
      if (r.starting == 0) r.rate = 1 / law_.slowdown(units_[r.unit].utilisation, total, sharing);
      device.next = std::min(device.next, device.now + (r.starting > 0 ? r.starting : std::max(0.0, r.left) / r.rate));
    }
  }

  void start(int id, double now) {
    Unit& unit = units_[id];
    Device& device = devices_[unit.device];
    unit.start = now;
    advance(device, now);
    device.running.push_back({id, unit.starting_ms, unit.ms - unit.starting_ms, 1});
    set_rates(device);
  }

  /// To the next event of a device: units begin to use it, or end.
  void proceed(int d, double now) {
    Device& device = devices_[d];
    advance(device, now);
    const double rounding = 1e-12 * (1 + now);
    std::vector<int> ended;
    for (Running& r : device.running)
      if (r.starting <= rounding) r.starting = 0;
    std::erase_if(device.running, [&](const Running& r) {
      if (r.starting > 0 || r.left / r.rate > rounding) return false;
      ended.push_back(r.unit);
      return true;
    });
    set_rates(device);
    for (int id : ended) {
      Unit& unit = units_[id];
      unit.end = now;
      if (unit.next >= 0) release(unit.next, now);
      for (OpId op : unit.ops) hand_out(op, unit, now);
    }
  }

  /// Arrival time of an output, by device.
  std::map<int, double> send(OpId op, int from, double now) {
    std::map<int, double> arrival = destinations(cost_, slots_, op, from);
    for (auto& [to, time] : arrival) {
      transfers_.push_back(links_.send(op, from, to, now, time));
      time = transfers_.back().end;
    }
    return arrival;
  }

  void hand_out_input(OpId op) {
    const int from = input_device(graph_, slots_, op);
    const std::map<int, double> arrival = send(op, from, law_.launch_ms);
    for (OpId reader : graph_.succs(op))
      if (slots_[reader].device != from) release(unit_of_[reader], arrival.at(slots_[reader].device));
  }

  void hand_out(OpId op, const Unit& unit, double now) {
    const std::map<int, double> arrival = send(op, unit.device, now);
    for (OpId reader : graph_.succs(op)) {
      const Unit& next = units_[unit_of_[reader]];
      double at = now;
      if (next.device != unit.device)
        at = arrival.at(next.device);
      else if (next.stream != unit.stream)
        at += law_.dependency_ms;
      release(unit_of_[reader], at);
    }
  }

  void release(int id, double at) {
    Unit& unit = units_[id];
    unit.ready = std::max(unit.ready, at);
    if (--unit.waits == 0) starts_.emplace(unit.ready, id);
  }

  Simulation collect() {
    Simulation result;
    result.timeline.start.assign(graph_.size(), 0.0);
    result.timeline.end.assign(graph_.size(), 0.0);
    for (const Unit& unit : units_) {
      for (OpId op : unit.ops) {
        result.timeline.start[op] = unit.start;
        result.timeline.end[op] = unit.end;
      }
      result.timeline.makespan = std::max(result.timeline.makespan, unit.end);
    }
    result.slots = std::move(slots_);
    std::ranges::stable_sort(transfers_, {}, &Simulation::Transfer::start);
    result.transfers = std::move(transfers_);
    return result;
  }

  Latencies& cost_;
  const Graph& graph_;
  ContentionLaw law_;
  std::vector<Slot> slots_;
  std::vector<Unit> units_;
  std::vector<int> unit_of_;
  std::vector<Device> devices_;
  Links links_{law_.transfer_latency_ms, cost_.topology()};
  std::vector<Simulation::Transfer> transfers_;
  std::priority_queue<std::pair<double, int>, std::vector<std::pair<double, int>>, std::greater<>> starts_;
};

/// One run in barrier mode. It equals the exact evaluation (core/cost/evaluate.hpp) if stages take no extra time in a
/// schedule and transfers do not wait for each other.
class BarrierRun {
 public:
  BarrierRun(Latencies& cost, const ContentionLaw& law, const Schedule& schedule)
      : cost_(cost), graph_(cost.graph()), law_(law) {
    result_.slots = slots_of(graph_, schedule);
    remote_ = remote_operators(graph_, result_.slots);
    result_.timeline.start.assign(graph_.size(), 0.0);
    result_.timeline.end.assign(graph_.size(), 0.0);
    for (const DeviceSchedule& device : schedule.devices) cost.prefetch(device.stages);
    stage_of_.assign(graph_.size(), -1);
    for (int d = 0; d < static_cast<int>(schedule.devices.size()); ++d) {
      const auto& stages = schedule.devices[d].stages;
      for (std::size_t s = 0; s < stages.size(); ++s) {
        for (const Group& group : stages[s].groups)
          for (OpId op : group) stage_of_[op] = static_cast<int>(runs_.size());
        runs_.push_back({&stages[s], d, s > 0 ? 1 : 0, law_.launch_ms, s + 1 < stages.size()});
      }
    }
    for (OpId op : graph_.units())
      for (OpId p : graph_.preds(op))
        if (stage_of_[p] >= 0 && stage_of_[p] != stage_of_[op]) ++runs_[stage_of_[op]].waits;
    for (OpId op : graph_.inputs())
      for (OpId reader : graph_.succs(op))
        if (slots()[reader].device != input_device(graph_, slots(), op)) ++runs_[stage_of_[reader]].waits;
  }

  Simulation run() {
    for (int s = 0; s < static_cast<int>(runs_.size()); ++s)
      if (runs_[s].waits == 0) start(s);
    for (OpId op : graph_.inputs()) hand_out(op, -1, input_device(graph_, slots(), op), law_.launch_ms);
    while (!ends_.empty()) {
      const auto [now, s] = ends_.top();
      ends_.pop();
      finish(s, now);
    }
    std::ranges::stable_sort(result_.transfers, {}, &Simulation::Transfer::start);
    return std::move(result_);
  }

 private:
  struct StageRun {
    const Stage* stage;
    int device;
    int waits;     ///< incoming edges from stages that have not ended, plus one for the preceding stage
    double ready;  ///< latest end and arrival so far
    bool has_next;
  };

  const std::vector<Slot>& slots() const { return result_.slots; }

  double stage_ms(const Stage& stage) {
    double longest = 0;  // extra time of the slowest group
    for (const Group& group : stage.groups) {
      double chain = 0;
      for (OpId op : group) {
        double ms = switching_ms(cost_, law_, op);
        if (remote_[op] && cost_.operator_ms(op) > kNothing) ms += law_.remote_ms;
        chain = stage.strategy == Strategy::merge ? std::max(chain, ms) : chain + ms;
      }
      longest = std::max(longest, chain);
    }
    return cost_.stage_ms(stage) + longest;
  }

  void start(int s) {
    const double end = runs_[s].ready + stage_ms(*runs_[s].stage);
    ends_.emplace(end, s);
  }

  void release(int s, double at) {
    runs_[s].ready = std::max(runs_[s].ready, at);
    if (--runs_[s].waits == 0) start(s);
  }

  void finish(int s, double now) {
    const StageRun& run = runs_[s];
    Timeline& timeline = result_.timeline;
    timeline.makespan = std::max(timeline.makespan, now);
    for (const Group& group : run.stage->groups)
      for (OpId op : group) {
        timeline.start[op] = run.ready;
        timeline.end[op] = now;
        hand_out(op, s, run.device, now);
      }
    if (run.has_next) release(s + 1, now);
  }

  /// `s`: the stage in which the operator ran; -1 for an input of the graph.
  void hand_out(OpId op, int s, int from, double now) {
    const bool wait = std::isfinite(law_.transfer_latency_ms);
    std::map<int, double> arrival = destinations(cost_, slots(), op, from);
    for (auto& [to, time] : arrival) {
      result_.transfers.push_back(wait ? links_.send(op, from, to, now, time)
                                       : Simulation::Transfer{op, from, to, now, now + time});
      time = result_.transfers.back().end;
    }
    for (OpId reader : graph_.succs(op)) {
      const int next = stage_of_[reader];
      if (next == s) continue;
      const int to = runs_[next].device;
      if (to != from)
        release(next, wait ? arrival.at(to) : now + cost_.transfer_ms(op, reader, from, to));
      else if (s >= 0)
        release(next, now);
    }
  }

  Latencies& cost_;
  const Graph& graph_;
  ContentionLaw law_;
  Links links_{law_.transfer_latency_ms, cost_.topology()};
  std::vector<StageRun> runs_;
  std::vector<int> stage_of_;
  std::vector<bool> remote_;
  Simulation result_;
  std::priority_queue<std::pair<double, int>, std::vector<std::pair<double, int>>, std::greater<>> ends_;
};

Simulation run(Latencies& cost, const ContentionLaw& law, const Schedule& schedule) {
  Simulation result =
      schedule.mode == Mode::barrier ? BarrierRun(cost, law, schedule).run() : DataflowRun(cost, law, schedule).run();
  result.timeline.makespan += further_devices_ms(law, schedule);
  return result;
}

}  // namespace

Simulation simulate(CostModel& cost, const Schedule& schedule) {
  const ScheduledCosts costs(cost, schedule);
  validate(costs->graph(), schedule);
  return run(*costs, costs->contention_law(), schedule);
}

double simulated_ms(Latencies& cost, const ContentionLaw& law, const Schedule& schedule) {
  return run(cost, law, schedule).timeline.makespan;
}

}  // namespace opsched
