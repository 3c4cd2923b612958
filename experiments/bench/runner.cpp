#include "experiments/bench/runner.hpp"

#include "core/cost/bounds.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/sim/simulate.hpp"

namespace opsched::bench {

namespace {

/// Empty if a stage was never measured: a prediction from a guess says nothing about the cost model.
std::optional<double> predicted_ms(CostModel& costs, const Schedule& schedule) {
  const ScheduledCosts scheduled(costs, schedule);
  for (const DeviceSchedule& device : schedule.devices)
    for (const Stage& stage : device.stages)
      if (schedule.mode == Mode::barrier && !scheduled->stage_known(stage)) return std::nullopt;
  return simulate(costs, schedule).timeline.makespan;
}

}  // namespace

void put_latency(records::Record& record, const Measurement& latency) {
  record.value = latency.median;
  record.unit = "ms";
  record.provenance = latency.provenance;
  record.clocks = {
      .sm_mhz = latency.sm_clock_mhz, .memory_mhz = latency.memory_clock_mhz, .throttled = latency.throttled};
  if (latency.max > latency.min)  // no samples if recorded or simulated
    record.spread = records::Spread{.p90 = latency.p90,
                                    .p99 = latency.p99,
                                    .min = latency.min,
                                    .max = latency.max,
                                    .stddev = latency.stddev,
                                    .mad_ratio = latency.mad_ratio,
                                    .runs = latency.runs};
}

CostModel& Runner::costs(const Case& what) {
  const bool same_graph = graph_ && what.file == selected_.file && what.network == selected_.network &&
                          what.batch == selected_.batch && what.image == selected_.image;
  if (same_graph && costs_ && what.precision == selected_.precision) return *costs_;
  costs_.reset();
  if (!same_graph) {
    graph_ = std::make_unique<Graph>(make_graph(what));
  }
  selected_ = what;
  costs_ = device_.costs(*graph_, what.precision);
  return *costs_;
}

Found Runner::find(const Case& what) {
  report_(what.name() + ": costs");
  check_scheduler(what.scheduler, what.gpus, what.options);
  device_.require(what.gpus, what.precision);
  CostModel& costs = this->costs(what);
  report_(what.name() + ": searching for the schedule");
  const auto progress = [&](const std::string& state) { report_(what.name() + ": " + state); };
  return store_.find(what.scheduler,
                     {.cost = costs, .devices = what.gpus, .options = what.options, .progress = progress},
                     device_.cost_key(what.precision));
}

bool Runner::found_before(const Case& what) {
  return store_.holds(what.scheduler,
                      {.cost = costs(what), .devices = what.gpus, .options = what.options, .progress = {}},
                      device_.cost_key(what.precision));
}

std::unique_ptr<Executor> Runner::prepare(const Case& what, const Found& found) {
  device_.require(what.gpus, what.precision);
  CostModel& costs = this->costs(what);
  report_(what.name() + ": preparing");
  return device_.executor(costs, found.schedule, what.precision, 1);
}

Measurement sampled(const Executor& executor, const std::vector<double>& ms) {
  Measurement latency = summarise(ms);
  const Clocks clocks = executor.clocks();
  latency.sm_clock_mhz = clocks.sm_mhz;
  latency.memory_clock_mhz = clocks.memory_mhz;
  latency.throttled = clocks.throttled;
  return latency;
}

Timed timed(const Case& what, CostModel& costs, const Found& found, const Executor& executor,
            const Measurement& latency) {
  Timed timed{.record = {.what = what}, .schedule = found.schedule};
  records::Record& record = timed.record;
  put_latency(record, latency);
  record.numbers = {
      {"stages", stage_count(found.schedule)},
      {"bound_ms", lower_bounds(costs, found.schedule).lower()},
      {"peak_bytes", static_cast<double>(peak_bytes(executor, static_cast<int>(found.schedule.devices.size())))},
      {"transfer_bytes", static_cast<double>(executor.transfer_bytes())}};
  if (const std::optional<double> ms = predicted_ms(costs, found.schedule)) record.numbers["predicted_ms"] = *ms;
  if (found.seconds > 0) record.numbers["search_seconds"] = found.seconds;
  record.graph = fingerprint(costs.graph());
  record.schedule = fingerprint(found.schedule);
  for (const KernelChoice& choice : executor.kernels()) timed.kernels[choice.problem] = choice.kernel;
  return timed;
}

Timed Runner::timed(const Case& what, const Found& found, const Executor& executor, const Measurement& latency) {
  CostModel& costs = this->costs(what);
  device_.keep(costs, found.schedule, what, latency);
  return bench::timed(what, costs, found, executor, latency);
}

Timed Runner::time(const Case& what, const Found& found) {
  const std::unique_ptr<Executor> executor = prepare(what, found);
  report_(what.name() + ": latency");
  return timed(what, found, *executor, executor->measure(options_));
}

Timed Runner::run(const Case& what) {
  try {
    return time(what, find(what));
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {
    return {.record = {.what = what, .missing = e.what()}};
  }
}

}  // namespace opsched::bench
