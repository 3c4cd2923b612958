#include "core/runtime/cuda/nccl/nccl_link.hpp"

#include <nccl.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"

namespace opsched {
namespace {

// A receive waits on the GPU and occupies multiprocessors that others need. With this few blocks per channel, all
// channels to a GPU together leave most of it free, and a message can still use many NVLinks.
constexpr int kBlocksOfAChannel = 8;

void nccl_check(ncclResult_t status, const char* call) {
  if (status == ncclSuccess) return;
  const char* const why = ncclGetLastError(nullptr);
  cuda_failed(std::string("NCCL: ") + call + ": " + ncclGetErrorString(status) +
              (why != nullptr && *why != '\0' ? std::string(" (") + why + ")" : ""));
}
#define OPSCHED_NCCL(call) nccl_check((call), #call)

std::string unique_id() {
  ncclUniqueId id;
  OPSCHED_NCCL(ncclGetUniqueId(&id));
  return {id.internal, sizeof id.internal};
}

}  // namespace

NcclCommunicator::NcclCommunicator(const std::string& id, int rank, int size, int most_blocks) {
  ncclUniqueId unique;
  std::memcpy(unique.internal, id.data(), sizeof unique.internal);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  if (most_blocks > 0) config.minCTAs = 1, config.maxCTAs = most_blocks;
  OPSCHED_NCCL(ncclCommInitRankConfig(&comm_, size, unique, rank, &config));
}

void NcclCommunicator::abort() { ncclCommAbort(std::exchange(comm_, nullptr)); }

NcclLink::NcclLink(ProcessGroup& processes, DeviceContext& first)
    : processes_(processes), first_(first), world_([&] {
        first.activate();
        const std::string id = processes.broadcast(processes.leads() ? unique_id() : std::string());
        return NcclCommunicator(id, processes.rank(), processes.size(), 1);
      }()) {
  token_ = DeviceBuffer(sizeof(float));
  OPSCHED_CUDA(cudaMemset(token_.data(), 0, sizeof(float)));
  enqueue_barrier(first_.stream(0));  // the first collective connects the processes
  OPSCHED_CUDA(cudaStreamSynchronize(first_.stream(0)));
}

void NcclLink::open(const ProgramPart& part, std::span<DeviceContext* const> devices) {
  struct End {
    int process;
    DeviceContext* device;
    bool sends;
  };
  std::map<Channel, End> ends;  // in the same order everywhere, to avoid deadlock
  for (const Step& step : part.program.steps)
    if (step.message.id >= 0 && !channels_.contains(step.message.channel))
      ends.try_emplace(step.message.channel,
                       End{step.message.process, devices[step.device], step.kind == Step::Kind::send});
  for (const auto& [channel, end] : ends) {
    end.device->activate();
    std::string id;
    if (end.sends)
      processes_.send_text(end.process, id = unique_id());
    else
      id = processes_.receive_text(end.process);
    const auto& [at, fresh] = channels_.emplace(channel, NcclCommunicator(id, end.sends ? 0 : 1, 2, kBlocksOfAChannel));
    // Connects both ends now: that cannot be captured.
    const DeviceBuffer value(sizeof(float));
    const cudaStream_t stream = end.device->stream(0);
    const ncclComm_t comm = at->second.get();
    if (end.sends)
      OPSCHED_NCCL(ncclSend(value.data(), sizeof(float), ncclChar, 1, comm, stream));
    else
      OPSCHED_NCCL(ncclRecv(value.data(), sizeof(float), ncclChar, 0, comm, stream));
    OPSCHED_CUDA(cudaStreamSynchronize(stream));
  }
}

void NcclLink::enqueue_send(const Message& message, const void* data, std::size_t bytes, cudaStream_t stream) {
  OPSCHED_NCCL(ncclSend(data, bytes, ncclChar, 1, channels_.at(message.channel).get(), stream));
}

void NcclLink::enqueue_receive(const Message& message, void* data, std::size_t bytes, cudaStream_t stream) {
  OPSCHED_NCCL(ncclRecv(data, bytes, ncclChar, 0, channels_.at(message.channel).get(), stream));
}

void NcclLink::enqueue_barrier(cudaStream_t stream) {
  OPSCHED_NCCL(ncclAllReduce(token_.data(), token_.data(), 1, ncclFloat, ncclSum, world_.get(), stream));
}

void NcclLink::wait_for(cudaEvent_t event) {
  try {
    for (cudaError_t status; (status = cudaEventQuery(event)) != cudaSuccess;) {
      if (status != cudaErrorNotReady) OPSCHED_CUDA(status);
      processes_.check();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  } catch (...) {
    for (auto& [channel, communicator] : channels_) communicator.abort();
    world_.abort();
    throw;
  }
}

}  // namespace opsched
