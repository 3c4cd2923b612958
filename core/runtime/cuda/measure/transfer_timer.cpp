#include "core/runtime/cuda/measure/transfer_timer.hpp"

#include <cmath>
#include <vector>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"

namespace opsched {
namespace {

constexpr int kHops = 20;  // ten round trips
constexpr std::int64_t kSmallest = 4 << 10, kLargest = 64 << 20;
constexpr const char* kKernelFrom = "transfer.kernel_from_bytes";
constexpr const char* kKernelLimit = "transfer.kernel_limit_bytes";

ProfileEntry time_hops(DeviceContext& a, DeviceContext& b, std::size_t bytes, const CopyRoute& route) {
  DeviceContext* ends[2] = {&a, &b};
  void* memory[2] = {a.scratch(bytes), b.scratch(bytes)};
  const HostBuffer staging(route.through_host ? bytes : 0);
  a.activate();
  const cudaStream_t origin = a.stream(0);
  Capture capture(origin);
  std::vector<Event> events;
  for (int hop = 0; hop < kHops; ++hop) {
    const int from = hop % 2, to = 1 - from;
    ends[from]->activate();
    events.push_back(make_event(false));
    OPSCHED_CUDA(cudaEventRecord(events.back().get(), ends[from]->stream(0)));
    ends[to]->activate();
    OPSCHED_CUDA(cudaStreamWaitEvent(ends[to]->stream(0), events.back().get(), 0));
    const PeerCopy copy{memory[to], memory[from], 1, bytes, bytes, bytes};
    if (route.through_host)
      enqueue_copy_through_host(copy, staging.data(), {ends[from]->gpu(), ends[from]->stream(0)},
                                {ends[to]->gpu(), ends[to]->stream(0)});
    else
      enqueue_copy(copy, route.method(bytes), ends[to]->stream(0));
  }
  a.activate();
  const GraphExec exec = instantiate(capture.end());
  const Measurement m =
      GraphTimer(exec.get(), origin, nullptr)
          .measure({.warmup = 3, .min_runs = 18, .max_runs = 90, .max_noise = 0.01, .max_seconds = 0.2});
  return {.ms = m.median / kHops, .mad_ratio = m.mad_ratio, .runs = m.runs};
}

/// Times both methods at every size. At the smallest sizes they differ by less than their noise.
std::vector<MethodTimes> measure_methods(DeviceContext& a, DeviceContext& b) {
  std::vector<MethodTimes> times;
  for (std::int64_t size = kSmallest; size <= kLargest; size *= 4) {
    const auto bytes = static_cast<std::size_t>(size);
    const double kernel = time_hops(a, b, bytes, {.through_host = false, .kernel_from = 0, .kernel_limit = bytes}).ms;
    const double engine = time_hops(a, b, bytes, {.through_host = false, .kernel_from = 1, .kernel_limit = 0}).ms;
    times.push_back({bytes, kernel, engine});
  }
  return times;
}

}  // namespace

KernelRange kernel_range(std::span<const MethodTimes> times) {
  // The contiguous range of sizes with the largest sum of log speed-ups of the kernel (Kadane's algorithm).
  KernelRange best;
  double most = 0, sum = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (sum <= 0) sum = 0, first = i;
    sum += std::log(times[i].engine_ms / times[i].kernel_ms);
    if (sum > most) {
      most = sum;
      best = {first == 0 ? 0 : times[first].bytes, times[i].bytes};
    }
  }
  return best;
}

CopyRoute measure_transfers(std::span<DeviceContext* const> devices, bool through_host, Profile& profile) {
  CopyRoute route{.through_host = through_host};
  if (!through_host && devices.size() > 1) {
    if (!profile.calibration().contains(kKernelFrom)) {
      const KernelRange range = kernel_range(measure_methods(*devices[0], *devices[1]));
      profile.set_calibration(kKernelFrom, static_cast<double>(range.from));
      profile.set_calibration(kKernelLimit, static_cast<double>(range.limit));
    }
    route.kernel_from = static_cast<std::size_t>(profile.calibration().at(kKernelFrom));
    route.kernel_limit = static_cast<std::size_t>(profile.calibration().at(kKernelLimit));
  }
  for (std::size_t i = 0; i < devices.size(); ++i)
    for (std::size_t j = i + 1; j < devices.size(); ++j)
      for (std::int64_t bytes = kSmallest; bytes <= kLargest; bytes *= 4) {
        const int from = static_cast<int>(i), to = static_cast<int>(j);
        if (profile.transfers().contains({from, to, bytes})) continue;
        const ProfileEntry record = time_hops(*devices[i], *devices[j], static_cast<std::size_t>(bytes), route);
        profile.record_transfer(from, to, bytes, record);
        profile.record_transfer(to, from, bytes, record);
      }
  return route;
}

}  // namespace opsched
