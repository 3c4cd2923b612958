#include "core/runtime/cuda/measure/stage_timer.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "core/error.hpp"
#include "core/runtime/cuda/kernels/kernel_check.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/schedule/merge_copies.hpp"

namespace opsched {
namespace {

// Target duration of a graph: long enough that the subtracted launch time matters little.
constexpr double kGraphMs = 0.25;
constexpr int kFewestReplicas = 2, kMostReplicas = 12;
constexpr int kWarmup = 2, kRuns = 10;
// If the median's error exceeds this after kRuns, the stage is measured again with more runs.
constexpr double kMaxError = 0.01;
constexpr int kMoreRuns = 90;
// Noise decides how often a schedule runs: for a long one, a burst or two mostly suffice.
constexpr MeasureOptions kWhole{.warmup = 5, .min_runs = 10, .max_runs = 450, .max_noise = 0.002, .max_seconds = 0.3};
// Number of stages whose graphs wait for the GPU while the host builds another.
constexpr std::size_t kAhead = 2;
// Latency of a stage that launches no kernel (joins written in place); profile entries must be positive.
constexpr double kNothing = 1e-6;

int replicas_of(double about_ms) {
  if (about_ms <= 0) return kMostReplicas;
  return static_cast<int>(std::clamp(std::ceil(kGraphMs / about_ms), double{kFewestReplicas}, double{kMostReplicas}));
}

std::size_t weight_bytes(const Graph& graph, Precision precision) {
  std::int64_t scalars = 0;  // strips of an operator share its weights
  for (OpId op : graph.unsplit().units()) scalars += graph.unsplit().parameters(op);
  return static_cast<std::size_t>(scalars * element_bytes(precision));
}

}  // namespace

/// A stage whose replays are under way.
struct StageTimer::InFlight {
  std::size_t request;
  const Stage& stage;
  int replicas;
  CapturedProgram captured;
  PendingReplays replays;

  InFlight(StageTimer& timer, std::size_t index, const StageRequest& r)
      : request(index),
        stage(r.stage),
        replicas(replicas_of(r.about_ms)),
        captured(timer.capture(timer.lowered(stage, replicas))),
        replays(timer.enqueue(captured, kWarmup, kRuns)) {}
};

StageTimer::StageTimer(const Graph& graph, const Connect& connect, Precision precision)
    : graph_(graph),
      connect_(connect),
      device_(*connect(1).devices.front()),
      precision_(precision),
      weight_bytes_(weight_bytes(graph, precision)) {}

Program StageTimer::lowered(const Stage& stage, int replicas, std::span<const Group> merges) const {
  return lower_stages(graph_, {&stage, 1}, replicas, lowering_for(precision_), merges);
}

std::vector<Problem> StageTimer::problems_of(const Program& program) const {
  std::vector<Problem> problems;
  for (const Step& step : program.steps)
    problems.push_back(make_problem(program, step, precision_, preferred_format(precision_)));
  return problems;
}

std::vector<Stage> StageTimer::slower_readers(const Stage& stage) const {
  if (!stage.is_merge()) return {};
  const Group& merged = stage.groups.front();
  const std::vector<JoinSlot> slots = join_slots(graph_);
  std::set<OpId> readers;
  for (OpId part : merged)
    for (OpId reader : readers_of_part(graph_, slots, part)) readers.insert(reader);
  std::vector<Stage> stages;
  for (OpId reader : readers) {
    Stage alone{.strategy = Strategy::concurrent, .groups = {{reader}}};
    if (problems_of(lowered(alone, 1)) != problems_of(lowered(alone, 1, {&merged, 1})))
      stages.push_back(std::move(alone));
  }
  return stages;
}

double StageTimer::more_ms(std::span<const Stage> readers, const Group& merged) {
  double more = 0;
  for (const Stage& reader : readers) {
    const auto ms = [&](std::span<const Group> merges) {
      const CapturedProgram captured = capture(lowered(reader, kMostReplicas, merges));
      return (enqueue(captured, kWarmup, kRuns).wait().median - launch_ms_) / kMostReplicas;
    };
    more += std::max(0.0, ms({&merged, 1}) - ms({}));
  }
  return more;
}

void StageTimer::prepare_kernels(std::span<const StageRequest> requests, std::span<const std::vector<Stage>> readers) {
  std::vector<Problem> problems;
  const auto add = [&](const Program& program) {
    for (Problem& problem : problems_of(program)) problems.push_back(std::move(problem));
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Stage& stage = requests[i].stage;
    add(lowered(stage, 1));
    for (const Stage& reader : readers[i]) add(lowered(reader, 1)), add(lowered(reader, 1, {&stage.groups.front(), 1}));
  }
  device_.kernels().prepare(problems);
}

CapturedProgram StageTimer::capture(Program program) {
  const ConnectedDevices devices = connect_(static_cast<int>(program.streams.size()));
  return CapturedProgram(std::move(program), precision_, MemoryUse::scratch, devices.devices, devices.route,
                         [](const Step&, const Kernel& kernel, DeviceContext& device) {
                           return device.next_weights(kernel.weight_bytes());
                         });
}

PendingReplays StageTimer::enqueue(const CapturedProgram& captured, int warmup, int runs) {
  device_.activate();
  const auto activations = static_cast<std::size_t>(captured.program().arena_bytes.front());
  return PendingReplays(captured.exec(), captured.stream(), warmup, runs,
                        [&] { device_.pass_through_cache(weight_bytes_, activations); });
}

double StageTimer::tiny_kernels(int count) {
  device_.activate();
  const cudaStream_t stream = device_.stream(0);
  void* memory = device_.scratch(sizeof(float));
  Capture capture(stream);
  for (int i = 0; i < count; ++i) kernel_check::fill_random(stream, memory, 1, false, 0);
  const GraphExec exec = instantiate(capture.end());
  const auto before = [&] { device_.pass_through_cache(weight_bytes_, 0); };  // as for stages
  return PendingReplays(exec.get(), stream, kWarmup, kMoreRuns, before).wait().median;
}

Measurement StageTimer::measure(const Stage& stage, int replicas) {
  const CapturedProgram captured = capture(lowered(stage, replicas));
  return enqueue(captured, kWarmup, kMoreRuns).wait();
}

ProfileEntry StageTimer::record(const InFlight& next, const Measurement& measured) const {
  const double ms = (measured.median - launch_ms_) / next.replicas;
  if (ms <= 0)
    throw Error("GPU " + std::to_string(device_.gpu()) + ": measuring operator '" +
                graph_.op(next.stage.groups.front().front()).name + "' failed: " + std::to_string(next.replicas) +
                " replicas took no longer than an empty graph");
  return {.ms = ms, .mad_ratio = measured.mad_ratio, .runs = measured.runs};
}

void StageTimer::time(std::span<const StageRequest> requests, const Done& done) {
  std::vector<std::vector<Stage>> readers;
  for (const StageRequest& request : requests) readers.push_back(slower_readers(request.stage));
  prepare_kernels(requests, readers);  // nothing else may run on the GPU while kernels are tuned
  std::deque<InFlight> flying;
  const auto land = [&] {
    InFlight& next = flying.front();
    Measurement measured = next.replays.wait();
    if (median_error(measured) > kMaxError) measured = measure(next.stage, next.replicas);
    ProfileEntry whole = record(next, measured);
    whole.ms += more_ms(readers[next.request], next.stage.groups.front());
    done(next.request, whole);
    flying.pop_front();
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (lowered(requests[i].stage, 1).steps.empty()) {
      done(i, {.ms = kNothing, .mad_ratio = 0, .runs = 1});
      continue;
    }
    if (launch_ms_ < 0) {
      device_.warm_up();
      warm_ = true;
      launch_ms_ = std::max(0.0, 2 * tiny_kernels(kMostReplicas) - tiny_kernels(2 * kMostReplicas));
    }
    flying.emplace_back(*this, i, requests[i]);
    if (flying.size() > kAhead) land();
  }
  while (!flying.empty()) land();
}

ProfileEntry StageTimer::time(const Schedule& schedule) {
  const CapturedProgram captured = capture(lower(graph_, schedule, lowering_for(precision_)));
  if (!warm_) device_.warm_up();
  warm_ = true;
  const Measurement measured = GraphTimer(captured.exec(), captured.stream(), nullptr).measure(kWhole);
  return {.ms = measured.median, .mad_ratio = measured.mad_ratio, .runs = measured.runs};
}

std::vector<ProfileEntry> StageTimer::time_in_turn(std::span<const Schedule> schedules) {
  std::vector<CapturedProgram> ready;
  // All programs use the device's scratch memory. If one needs more than there is, the memory moves, and all are
  // captured again.
  for (const void* memory = nullptr; ready.empty() || memory != device_.scratch(0);) {
    memory = device_.scratch(0);
    ready.clear();
    for (const Schedule& schedule : schedules)
      ready.push_back(capture(lower(graph_, schedule, lowering_for(precision_))));
    if (ready.empty()) return {};
  }
  if (!warm_) device_.warm_up();
  warm_ = true;
  std::vector<cudaGraphExec_t> execs;
  for (const CapturedProgram& captured : ready) execs.push_back(captured.exec());
  std::vector<ProfileEntry> records;
  for (const Measurement& measured : opsched::time_in_turn(execs, ready.front().stream(), kWhole))
    records.push_back({.ms = measured.median, .mad_ratio = measured.mad_ratio, .runs = measured.runs});
  return records;
}

}  // namespace opsched
