// Owners of CUDA resources. All are movable, not copyable, and release the resource in the destructor. A resource
// belongs to the device that was current when it was created.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

namespace opsched {

/// Makes a device current for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int previous_ = 0;
};

namespace detail {
/// A handle with its destroy function; the empty value is T{}.
template <class T, cudaError_t (*destroy)(T)>
class CudaHandle {
 public:
  CudaHandle() = default;
  explicit CudaHandle(T handle) : handle_(handle) {}
  CudaHandle(CudaHandle&& other) noexcept : handle_(std::exchange(other.handle_, T{})) {}
  CudaHandle& operator=(CudaHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~CudaHandle() {
    if (handle_) destroy(handle_);
  }
  T get() const { return handle_; }
  explicit operator bool() const { return handle_ != T{}; }

 private:
  T handle_{};
};
}  // namespace detail

using Stream = detail::CudaHandle<cudaStream_t, cudaStreamDestroy>;
using Event = detail::CudaHandle<cudaEvent_t, cudaEventDestroy>;
using CudaGraph = detail::CudaHandle<cudaGraph_t, cudaGraphDestroy>;
using GraphExec = detail::CudaHandle<cudaGraphExec_t, cudaGraphExecDestroy>;

/// A stream that does not synchronise with the default stream; higher priority for lower numbers.
Stream make_stream(int priority = 0);
/// `timing`: required for elapsed_ms; without it the event is cheaper.
Event make_event(bool timing);
double elapsed_ms(const Event& begin, const Event& end);
/// Captures work enqueued on `stream`, and on streams that wait for it, into a graph until end(). If end() is not
/// called, the stream is left usable.
class Capture {
 public:
  explicit Capture(cudaStream_t stream);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture();
  CudaGraph end();

 private:
  cudaStream_t stream_;
};

GraphExec instantiate(const CudaGraph& graph, unsigned long long flags = 0);

/// Memory on the device that is current at construction.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(std::size_t bytes);
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~DeviceBuffer();
  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Of the current GPU.
int device_attribute(cudaDeviceAttr which);
int device_attribute(cudaDeviceAttr which, int gpu);

/// Pinned memory of the host, for copies from and to every device.
class HostBuffer {
 public:
  HostBuffer() = default;
  explicit HostBuffer(std::size_t bytes);
  HostBuffer(HostBuffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  HostBuffer& operator=(HostBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~HostBuffer();
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
};

}  // namespace opsched
