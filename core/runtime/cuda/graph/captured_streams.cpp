#include "core/runtime/cuda/graph/captured_streams.hpp"

#include <algorithm>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/kernels/gate.hpp"

namespace opsched {

CapturedStreams::CapturedStreams(std::span<DeviceContext* const> devices, std::span<const int> counts)
    : devices_(devices), origin_(devices.front()->stream(0)), opened_(devices.size()) {
  for (int count : counts) used_.emplace_back(count, false);
  used_[0].resize(std::max<std::size_t>(1, used_[0].size()));
  used_[0][0] = true;
  devices_.front()->activate();
  start_ = make_event(false);
  OPSCHED_CUDA(cudaEventRecord(start_.get(), origin_));
}

cudaStream_t CapturedStreams::enter(int device, int stream) {
  const cudaStream_t entered = devices_[device]->stream(stream);
  if (used_[device][stream]) return entered;
  if (has_gates(device) && !opened_[device]) {
    const cudaStream_t first = devices_[device]->stream(0);
    OPSCHED_CUDA(cudaStreamWaitEvent(first, start_.get(), 0));
    enqueue_gate(first);
    used_[device][0] = true;
    opened_[device] = make_event(false);
    OPSCHED_CUDA(cudaEventRecord(opened_[device].get(), first));
  }
  if (!used_[device][stream]) {
    const Event& from = has_gates(device) ? opened_[device] : start_;
    OPSCHED_CUDA(cudaStreamWaitEvent(entered, from.get(), 0));
    used_[device][stream] = true;
  }
  return entered;
}

void CapturedStreams::join() {
  for (int d = 0; d < static_cast<int>(devices_.size()); ++d) {
    const cudaStream_t first = devices_[d]->stream(0);
    const cudaStream_t end = has_gates(d) ? first : origin_;
    for (int s = 0; s < static_cast<int>(used_[d].size()); ++s)
      if (const cudaStream_t stream = devices_[d]->stream(s); used_[d][s] && stream != end) follow(end, stream);
    if (!has_gates(d) || !opened_[d]) continue;
    enqueue_gate(first);
    follow(origin_, first);
  }
  devices_.front()->activate();
}

void CapturedStreams::follow(cudaStream_t waiting, cudaStream_t awaited) const {
  const Event done = make_event(false);  // of the device that is current, and of `awaited`
  OPSCHED_CUDA(cudaEventRecord(done.get(), awaited));
  OPSCHED_CUDA(cudaStreamWaitEvent(waiting, done.get(), 0));
}

}  // namespace opsched
