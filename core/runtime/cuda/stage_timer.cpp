#include "core/runtime/cuda/stage_timer.hpp"

#include "core/error.hpp"
#include "core/runtime/cuda/captured_program.hpp"
#include "core/runtime/cuda/lowering.hpp"
#include "core/runtime/cuda/replay.hpp"

namespace opsched {
namespace {

constexpr int kReplicas = 12;
// What a stage takes that launches no kernel (joins written in place); a profile holds positive numbers.
constexpr double kNothing = 1e-6;
constexpr MeasureOptions kOptions{.warmup = 3, .min_runs = 18, .max_runs = 180, .max_noise = 0.01, .max_seconds = 0.1};

}  // namespace

StageTimer::StageTimer(const Graph& graph, DeviceContext& device, Precision precision)
    : graph_(graph), device_(device), precision_(precision) {}

Measurement StageTimer::replay(const Stage& stage, int replicas) {
  Program program = lower_stages(graph_, {&stage, 1}, replicas, lowering_for(precision_));
  DeviceContext* devices[] = {&device_};
  const CapturedProgram captured(std::move(program), graph_.batch(), precision_, MemoryUse::scratch, devices, {},
                                 [](const Step&, const Kernel& kernel, DeviceContext& device) {
                                   return device.next_weights(kernel.weight_bytes());
                                 });
  device_.activate();
  return time_replays(captured.exec(), captured.stream(), kOptions, &device_.clocks());
}

Record StageTimer::time(const Stage& stage) {
  if (lower_stages(graph_, {&stage, 1}, 1, lowering_for(precision_)).steps.empty())
    return {.ms = kNothing, .noise = 0, .runs = 1};
  if (launch_ms_ < 0) {
    device_.warm_up();
    const double few = replay(stage, kReplicas).median, many = replay(stage, 2 * kReplicas).median;
    launch_ms_ = std::max(0.0, 2 * few - many);
  }
  const Measurement measured = replay(stage, kReplicas);
  const double ms = (measured.median - launch_ms_) / kReplicas;
  if (ms <= 0)
    throw Error("GPU " + std::to_string(device_.gpu()) + ": measuring operator '" +
                graph_.op(stage.groups.front().front()).name + "' failed: " + std::to_string(kReplicas) +
                " replicas took no longer than an empty graph");
  return {.ms = ms, .noise = measured.noise, .runs = measured.runs};
}

}  // namespace opsched
