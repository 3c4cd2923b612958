#include "core/runtime/cuda/device/cuda_handles.hpp"

#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"

namespace opsched {

DeviceScope::DeviceScope(int device) {
  OPSCHED_CUDA(cudaGetDevice(&previous_));
  OPSCHED_CUDA(cudaSetDevice(device));
}

DeviceScope::~DeviceScope() { cudaSetDevice(previous_); }

int device_attribute(cudaDeviceAttr which) {
  int gpu = 0;
  OPSCHED_CUDA(cudaGetDevice(&gpu));
  return device_attribute(which, gpu);
}

int device_attribute(cudaDeviceAttr which, int gpu) {
  int value = 0;
  OPSCHED_CUDA(cudaDeviceGetAttribute(&value, which, gpu));
  return value;
}

Stream make_stream(int priority) {
  cudaStream_t stream{};
  OPSCHED_CUDA(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, priority));
  return Stream(stream);
}

Event make_event(bool timing) {
  cudaEvent_t event{};
  OPSCHED_CUDA(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming));
  return Event(event);
}

double elapsed_ms(const Event& begin, const Event& end) {
  float ms = 0;
  OPSCHED_CUDA(cudaEventElapsedTime(&ms, begin.get(), end.get()));
  return ms;
}

Capture::Capture(cudaStream_t stream) : stream_(stream) {
  OPSCHED_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
}

Capture::~Capture() {
  if (!stream_) return;
  cudaGraph_t broken{};
  cudaStreamEndCapture(stream_, &broken);
  if (broken) cudaGraphDestroy(broken);
  (void)cudaGetLastError();
}

CudaGraph Capture::end() {
  cudaGraph_t graph{};
  OPSCHED_CUDA(cudaStreamEndCapture(std::exchange(stream_, nullptr), &graph));
  return CudaGraph(graph);
}

GraphExec instantiate(const CudaGraph& graph, unsigned long long flags) {
  cudaGraphExec_t exec{};
  OPSCHED_CUDA(cudaGraphInstantiate(&exec, graph.get(), flags));
  return GraphExec(exec);
}

DeviceBuffer::DeviceBuffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const cudaError_t status = cudaMalloc(reinterpret_cast<void**>(&data_), bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error("not enough GPU memory for " + std::to_string(bytes >> 20) +
                " MiB more: use a smaller batch or image, or another GPU");
  }
  OPSCHED_CUDA(status);
}

DeviceBuffer::~DeviceBuffer() {
  if (data_) cudaFree(data_);
}

HostBuffer::HostBuffer(std::size_t bytes) {
  if (bytes > 0) OPSCHED_CUDA(cudaHostAlloc(reinterpret_cast<void**>(&data_), bytes, cudaHostAllocPortable));
}

HostBuffer::~HostBuffer() {
  if (data_) cudaFreeHost(data_);
}

}  // namespace opsched
