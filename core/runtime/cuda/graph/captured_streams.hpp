// The streams that take part in a capture: they leave its origin when they are first used, and end in it.
#pragma once

#include <span>
#include <vector>

#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/graph/device_context.hpp"

namespace opsched {

/// In a CUDA graph a dependency between GPUs costs about 1 us at the start and at the end, and every stream of another
/// GPU has both (docs/performance.md). So a GPU with several streams, other than the origin's, begins and ends with a
/// gate: its streams wait for each other, and the origin for one node.
class CapturedStreams {
 public:
  /// `counts`: streams a device. The origin, stream 0 of device 0, is being captured.
  CapturedStreams(std::span<DeviceContext* const> devices, std::span<const int> counts);
  /// Makes the device current. The first call for a stream may add a node to the graph.
  cudaStream_t enter(int device, int stream);
  /// What the origin gets from now on follows all that the others got.
  void join();

 private:
  bool has_gates(int device) const { return device > 0 && used_[device].size() > 1; }
  void follow(cudaStream_t waiting, cudaStream_t awaited) const;

  std::span<DeviceContext* const> devices_;
  cudaStream_t origin_;
  Event start_;
  std::vector<Event> opened_;            ///< a device: behind its first gate
  std::vector<std::vector<bool>> used_;  ///< a device and stream
};

}  // namespace opsched
