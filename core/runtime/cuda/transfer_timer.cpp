#include "core/runtime/cuda/transfer_timer.hpp"

#include "core/runtime/cuda/cuda_check.hpp"
#include "core/runtime/cuda/peer_copy.hpp"
#include "core/runtime/cuda/replay.hpp"

namespace opsched {
namespace {

constexpr int kHops = 20;  // there and back, ten times

Record time_hops(DeviceContext& a, DeviceContext& b, std::size_t bytes) {
  DeviceContext* ends[2] = {&a, &b};
  void* memory[2] = {a.scratch(bytes), b.scratch(bytes)};
  a.activate();
  const cudaStream_t origin = a.stream(0);
  OPSCHED_CUDA(cudaStreamBeginCapture(origin, cudaStreamCaptureModeRelaxed));
  std::vector<Event> events;
  for (int hop = 0; hop < kHops; ++hop) {
    const int from = hop % 2, to = 1 - from;
    ends[from]->activate();
    events.push_back(make_event(false));
    OPSCHED_CUDA(cudaEventRecord(events.back().get(), ends[from]->stream(0)));
    ends[to]->activate();
    OPSCHED_CUDA(cudaStreamWaitEvent(ends[to]->stream(0), events.back().get(), 0));
    enqueue_copy({memory[to], memory[from], 1, bytes, bytes, bytes}, best_copy_method(bytes), ends[to]->stream(0));
  }
  a.activate();
  cudaGraph_t graph = nullptr;
  OPSCHED_CUDA(cudaStreamEndCapture(origin, &graph));
  const GraphExec exec = instantiate(CudaGraph(graph));
  const Measurement m =
      time_replays(exec.get(), origin,
                   {.warmup = 3, .min_runs = 18, .max_runs = 90, .max_noise = 0.01, .max_seconds = 0.2}, &a.clocks());
  return {.ms = m.median / kHops, .noise = m.noise, .runs = m.runs};
}

}  // namespace

void measure_transfers(std::span<DeviceContext* const> devices, Profile& profile) {
  for (std::size_t i = 0; i < devices.size(); ++i)
    for (std::size_t j = i + 1; j < devices.size(); ++j)
      for (std::int64_t bytes = 4 << 10; bytes <= 64 << 20; bytes *= 4) {
        const int from = static_cast<int>(i), to = static_cast<int>(j);
        if (profile.transfers().contains({from, to, bytes})) continue;
        const Record record = time_hops(*devices[i], *devices[j], static_cast<std::size_t>(bytes));
        profile.record_transfer(from, to, bytes, record);
        profile.record_transfer(to, from, bytes, record);
      }
}

}  // namespace opsched
