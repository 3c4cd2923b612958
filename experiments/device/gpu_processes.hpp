// GPUs of several processes.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/processes/orders.hpp"
#include "core/runtime/distributed/part_runtime.hpp"
#include "experiments/device/shared_gpus.hpp"

namespace opsched {

/// On process 0: every process learns which GPUs are its own (agree_on_gpus).
SharedGpus share_gpus(ProcessGroup& processes);

/// What the other processes do for the GPUs of process 0's device.
class GpuWorker {
 public:
  virtual ~GpuWorker() = default;
  virtual OrderHandlers handlers() = 0;
  /// Of this process, once process 0 has shared them.
  virtual std::vector<int> gpus() const = 0;
  /// That runs the part of a request.
  virtual PartRuntime& runtime_of(const PartRequest& request) = 0;
};
/// `processes` must outlive it.
std::unique_ptr<GpuWorker> make_gpu_worker(ProcessGroup& processes);

}  // namespace opsched
