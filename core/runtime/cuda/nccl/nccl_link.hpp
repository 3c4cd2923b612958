// Messages between GPUs of several processes, by NCCL.
#pragma once

#include <map>
#include <span>

#include "core/processes/process_group.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/graph/message_link.hpp"
#include "core/runtime/distributed/part_runtime.hpp"

typedef struct ncclComm* ncclComm_t;

namespace opsched {

/// A communicator of some processes' GPUs. It is kept until the process ends: destroying it could wait for other
/// processes, which may have died.
class NcclCommunicator {
 public:
  /// All its processes create it together. `id` is from ncclGetUniqueId; the process's GPU must be current. At most
  /// `most_blocks` blocks of a GPU (0: NCCL's choice) work for it.
  NcclCommunicator(const std::string& id, int rank, int size, int most_blocks);
  ncclComm_t get() const { return comm_; }
  /// Ends all that it has under way.
  void abort();

 private:
  ncclComm_t comm_ = nullptr;
};

class NcclLink final : public MessageLink {
 public:
  /// All processes make it together. `first`: the GPU of this process that closes rounds.
  NcclLink(ProcessGroup& processes, DeviceContext& first);

  /// Makes the channels of a part ready, those that are not. All processes call it together, each for its own part.
  void open(const ProgramPart& part, std::span<DeviceContext* const> devices);

  void enqueue_send(const Message& message, const void* data, std::size_t bytes, cudaStream_t stream) override;
  void enqueue_receive(const Message& message, void* data, std::size_t bytes, cudaStream_t stream) override;
  /// Enqueues work on a stream of the first GPU that ends when all processes have reached this point.
  void enqueue_barrier(cudaStream_t stream);
  /// Waits for an event that may depend on other processes. If one of them fails, ends the GPU work that waits for it
  /// and throws Error; nothing can be sent afterwards.
  void wait_for(cudaEvent_t event);

 private:
  ProcessGroup& processes_;
  DeviceContext& first_;
  std::map<Channel, NcclCommunicator> channels_;
  NcclCommunicator world_;
  DeviceBuffer token_;  ///< of barriers
};

}  // namespace opsched
