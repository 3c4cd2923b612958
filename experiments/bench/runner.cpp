#include "experiments/bench/runner.hpp"

#include "core/cost/bounds.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "networks/network.hpp"

namespace opsched::bench {

namespace {

/// 0 where some stage was never measured: a guess would not say how good the costs are.
double predicted_ms(CostModel& costs, const Schedule& schedule) {
  for (const DeviceSchedule& device : schedule.devices)
    for (const Stage& stage : device.stages)
      if (schedule.mode == Mode::barrier && !costs.stage_known(stage)) return 0;
  return simulate(costs, schedule).timeline.makespan;
}

}  // namespace

CostModel& Runner::costs(const Case& what) {
  const bool same_graph =
      graph_ && what.network == selected_.network && what.batch == selected_.batch && what.image == selected_.image;
  if (same_graph && costs_ && what.precision == selected_.precision) return *costs_;
  costs_.reset();
  if (!same_graph) {
    const NetworkOptions options{.batch = what.batch, .image = what.image, .seed = 1, .edge_lists = {}};
    graph_ = std::make_unique<Graph>(make_network(what.network, options));
  }
  selected_ = what;
  costs_ = device_.costs(*graph_, what.precision);
  return *costs_;
}

Found Runner::find(const Case& what, const SchedulerOptions& options) {
  report_(what.name() + ": costs");
  check_scheduler(what.scheduler, what.gpus, options);
  device_.require(what.gpus, what.precision);
  CostModel& costs = this->costs(what);
  report_(what.name() + ": finding the schedule");
  const auto progress = [&](const std::string& state) { report_(what.name() + ": " + state); };
  return store_.find(what.scheduler, {.cost = costs, .devices = what.gpus, .options = options, .progress = progress},
                     device_.cost_key(what.precision));
}

bool Runner::found_before(const Case& what) {
  return store_.holds(what.scheduler, {.cost = costs(what), .devices = what.gpus, .options = {}, .progress = {}},
                      device_.cost_key(what.precision));
}

Result Runner::time(const Case& what, const Found& found) {
  device_.require(what.gpus, what.precision);
  CostModel& costs = this->costs(what);
  report_(what.name() + ": latency");
  const Timing timing = device_.time(costs, found.schedule, what.precision, options_, what.name());
  const Measurement& latency = timing.latency;
  Result result;
  result.what = what;
  result.ms = latency.median;
  result.min_ms = latency.min;
  result.max_ms = latency.max;
  result.noise = latency.mad_ratio;
  result.runs = latency.runs;
  result.how = timing.how;
  result.sm_clock_mhz = latency.sm_clock_mhz;
  result.memory_clock_mhz = latency.memory_clock_mhz;
  result.throttled = latency.throttled;
  result.stages = stage_count(found.schedule);
  result.bound_ms = lower_bounds(costs, what.gpus).lower();
  result.predicted_ms = predicted_ms(costs, found.schedule);
  result.peak_bytes = timing.peak_bytes;
  result.transfer_bytes = timing.transfer_bytes;
  result.search_seconds = found.seconds;
  result.graph = fingerprint(costs.graph());
  result.schedule = fingerprint(found.schedule);
  return result;
}

Result Runner::run(const Case& what, const SchedulerOptions& options) {
  Found found;
  return run(what, found, options);
}

Result Runner::run(const Case& what, Found& found, const SchedulerOptions& options) {
  try {
    found = find(what, options);
    return time(what, found);
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {
    Result result;
    result.what = what;
    result.skipped = e.what();
    return result;
  }
}

}  // namespace opsched::bench
