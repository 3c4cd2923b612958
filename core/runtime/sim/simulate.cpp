#include "core/runtime/sim/simulate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <utility>

#include "core/runtime/sim/links.hpp"

namespace opsched {
namespace {

using Unit = PreparedSchedule::Unit;
using Output = PreparedSchedule::Output;
using Event = std::pair<double, int>;  // time, unit
using Events = std::priority_queue<Event, std::vector<Event>, std::greater<>>;

/// What both modes share: when units ran, and transfers.
class Run {
 public:
  Run(const PreparedSchedule& prepared, const ContentionLaw& law) : prepared_(prepared), law_(law) {
    times_.reserve(prepared.units.size());
    for (const Unit& unit : prepared.units) times_.push_back({.waits = unit.waits, .ready = law.launch_ms});
  }

  double makespan() const {
    double last = 0;
    for (const Times& times : times_) last = std::max(last, times.end);
    return last + prepared_.further_devices * law_.device_ms;
  }

  Simulation simulation() && {
    Simulation result;
    result.timeline.start.assign(prepared_.outputs.size(), 0.0);
    result.timeline.end.assign(prepared_.outputs.size(), 0.0);
    for (std::size_t u = 0; u < times_.size(); ++u)
      for (OpId op : prepared_.units[u].ops) {
        result.timeline.start[op] = times_[u].start;
        result.timeline.end[op] = times_[u].end;
      }
    result.timeline.makespan = makespan();
    result.slots = prepared_.slots;
    std::ranges::stable_sort(transfers_, {}, &Simulation::Transfer::start);
    result.transfers = std::move(transfers_);
    return result;
  }

 protected:
  struct Times {
    int waits;     ///< incoming edges from units that have not ended, plus one for the unit before it
    double ready;  ///< latest end and arrival so far
    double start = 0, end = 0;
  };

  /// Returns the arrival of each of the output's transfers. `wait`: for other transfers.
  const std::vector<double>& send(OpId op, double now, bool wait) {
    const Output& output = prepared_.outputs[op];
    arrivals_.clear();
    for (const auto& [to, ms] : output.transfers) {
      transfers_.push_back(wait ? links_.send(op, output.device, to, now, ms)
                                : Simulation::Transfer{op, output.device, to, now, now + ms});
      arrivals_.push_back(transfers_.back().end);
    }
    return arrivals_;
  }

  const PreparedSchedule& prepared_;
  const ContentionLaw law_;
  std::vector<Times> times_;  ///< by unit

 private:
  Links links_{law_.transfer_latency_ms, prepared_.topology};
  std::vector<Simulation::Transfer> transfers_;
  std::vector<double> arrivals_;
};

class DataflowRun : public Run {
 public:
  DataflowRun(const PreparedSchedule& prepared, const ContentionLaw& law) : Run(prepared, law) {
    devices_.resize(prepared.devices);
    for (const Unit& unit : prepared.units) powers_.push_back(law.power(unit.utilisation));
    for (std::size_t u = 0; u < times_.size(); ++u)
      if (times_[u].waits == 0) starts_.emplace(times_[u].ready, static_cast<int>(u));
    for (OpId op : prepared.inputs) hand_out(op, law_.launch_ms);
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
  }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  struct Running {
    int unit;
    double starting;  ///< ms until it uses the device
    double left, rate;
  };
  struct Device {
    std::vector<Running> running;
    double now = 0, next = kNever;  ///< next: when a unit ends or begins to use the device
  };

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
      total += prepared_.units[r.unit].utilisation;
      ++sharing;
    }
    const double power = sharing > 1 ? law_.power(total) : 0;
    device.next = kNever;
    for (Running& r : device.running) {
      if (r.starting == 0) r.rate = 1 / law_.slowdown_of_powers(powers_[r.unit], power, sharing);
      device.next = std::min(device.next, device.now + (r.starting > 0 ? r.starting : std::max(0.0, r.left) / r.rate));
    }
  }

  void start(int id, double now) {
    const Unit& unit = prepared_.units[id];
    Device& device = devices_[unit.device];
    times_[id].start = now;
    advance(device, now);
    double starting = std::min(law_.start_ms, unit.ms);
    if (unit.extras.front().front().remote) starting += law_.remote_ms;
    device.running.push_back({id, starting, unit.ms + unit.extra_ms(law_) - starting, 1});
    set_rates(device);
  }

  /// To the next event of a device: units begin to use it, or end.
  void proceed(int d, double now) {
    Device& device = devices_[d];
    advance(device, now);
    const double rounding = 1e-12 * (1 + now);
    ended_.clear();
    for (Running& r : device.running)
      if (r.starting <= rounding) r.starting = 0;
    std::erase_if(device.running, [&](const Running& r) {
      if (r.starting > 0 || r.left / r.rate > rounding) return false;
      ended_.push_back(r.unit);
      return true;
    });
    set_rates(device);
    for (int id : ended_) {
      const Unit& unit = prepared_.units[id];
      times_[id].end = now;
      if (unit.next >= 0) release(unit.next, now);
      for (OpId op : unit.ops) hand_out(op, now);
    }
  }

  void hand_out(OpId op, double now) {
    const std::vector<double>& arrivals = send(op, now, true);
    for (const auto& [unit, transfer, other_stream, ms] : prepared_.outputs[op].readers) {
      double at = now;
      if (transfer >= 0)
        at = arrivals[transfer];
      else if (other_stream)
        at += law_.dependency_ms;
      release(unit, at);
    }
  }

  void release(int id, double at) {
    Times& unit = times_[id];
    unit.ready = std::max(unit.ready, at);
    if (--unit.waits == 0) starts_.emplace(unit.ready, id);
  }

  std::vector<double> powers_;  ///< of the units' utilisations
  std::vector<Device> devices_;
  std::vector<int> ended_;
  Events starts_;
};

/// It equals the exact evaluation (core/cost/evaluate.hpp) if stages take no extra time in a schedule and transfers do
/// not wait for each other.
class BarrierRun : public Run {
 public:
  BarrierRun(const PreparedSchedule& prepared, const ContentionLaw& law) : Run(prepared, law) {
    for (std::size_t u = 0; u < times_.size(); ++u)
      if (times_[u].waits == 0) start(static_cast<int>(u));
    for (OpId op : prepared.inputs) hand_out(op, law_.launch_ms);
    while (!ends_.empty()) {
      const auto [now, id] = ends_.top();
      ends_.pop();
      times_[id].end = now;
      for (OpId op : prepared.units[id].ops) hand_out(op, now);
      if (const int next = prepared.units[id].next; next >= 0) release(next, now);
    }
  }

 private:
  void start(int id) {
    const Unit& unit = prepared_.units[id];
    times_[id].start = times_[id].ready;
    ends_.emplace(times_[id].ready + (unit.ms + unit.extra_ms(law_)), id);
  }

  void release(int id, double at) {
    times_[id].ready = std::max(times_[id].ready, at);
    if (--times_[id].waits == 0) start(id);
  }

  void hand_out(OpId op, double now) {
    const bool wait = std::isfinite(law_.transfer_latency_ms);
    const std::vector<double>& arrivals = send(op, now, wait);
    for (const auto& [unit, transfer, other_stream, ms] : prepared_.outputs[op].readers)
      release(unit, transfer < 0 ? now : wait ? arrivals[transfer] : now + ms);
  }

  Events ends_;
};

}  // namespace

Simulation simulate(CostModel& cost, const Schedule& schedule) {
  const ScheduledCosts costs(cost, schedule);
  validate(costs->graph(), schedule);
  const ContentionLaw law = costs->contention_law();
  const PreparedSchedule prepared(*costs, schedule);
  return prepared.mode == Mode::barrier ? BarrierRun(prepared, law).simulation()
                                        : DataflowRun(prepared, law).simulation();
}

double simulated_ms(const PreparedSchedule& prepared, const ContentionLaw& law) {
  return prepared.mode == Mode::barrier ? BarrierRun(prepared, law).makespan() : DataflowRun(prepared, law).makespan();
}

double simulated_ms(Latencies& cost, const ContentionLaw& law, const Schedule& schedule) {
  return simulated_ms(PreparedSchedule(cost, schedule), law);
}

}  // namespace opsched
