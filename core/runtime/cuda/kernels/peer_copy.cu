#include <algorithm>
#include <cstdint>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"

namespace opsched {
namespace {

/// Rows of vectors, and the distance between consecutive vectors of a thread, as rows and vectors.
struct Walk {
  std::size_t rows, vectors, target_pitch, source_pitch;
  std::size_t step_rows, step_vectors;
};

/// Threads take vectors in turns. Each thread steps through the rows instead of dividing, and keeps `kAhead` loads in
/// flight, because it reads another GPU's memory.
template <class Vector, int kAhead>
__global__ void copy_rows(char* target, const char* source, const Walk walk) {
  const unsigned first = blockIdx.x * blockDim.x + threadIdx.x;
  std::size_t row = first / walk.vectors, at = first - row * walk.vectors;
  while (row < walk.rows) {
    Vector values[kAhead];
    Vector* to[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      to[i] = nullptr;
      if (row >= walk.rows) continue;
      values[i] = reinterpret_cast<const Vector*>(source + row * walk.source_pitch)[at];
      to[i] = reinterpret_cast<Vector*>(target + row * walk.target_pitch) + at;
      row += walk.step_rows;
      at += walk.step_vectors;
      if (at >= walk.vectors) at -= walk.vectors, ++row;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      if (to[i]) *to[i] = values[i];
  }
}

template <class Vector>
void launch(const PeerCopy& copy, cudaStream_t stream) {
  constexpr unsigned kThreads = 256, kMostBlocks = 256;
  constexpr int kAhead = 4;
  const std::size_t vectors = copy.width / sizeof(Vector), total = copy.rows * vectors;
  if (total == 0) return;
  const auto blocks = static_cast<unsigned>(std::min<std::size_t>((total + kThreads - 1) / kThreads, kMostBlocks));
  const std::size_t step = std::size_t{blocks} * kThreads;
  const Walk walk{copy.rows, vectors, copy.target_pitch, copy.source_pitch, step / vectors, step % vectors};
  copy_rows<Vector, kAhead>
      <<<blocks, kThreads, 0, stream>>>(static_cast<char*>(copy.target), static_cast<const char*>(copy.source), walk);
  OPSCHED_CUDA(cudaGetLastError());
}

}  // namespace

void enqueue_copy(const PeerCopy& copy, CopyMethod method, cudaStream_t stream) {
  const bool dense = copy.rows == 1 || (copy.width == copy.source_pitch && copy.width == copy.target_pitch);
  if (method == CopyMethod::engine) {
    if (dense)
      OPSCHED_CUDA(cudaMemcpyAsync(copy.target, copy.source, copy.bytes(), cudaMemcpyDefault, stream));
    else
      OPSCHED_CUDA(cudaMemcpy2DAsync(copy.target, copy.target_pitch, copy.source, copy.source_pitch, copy.width,
                                     copy.rows, cudaMemcpyDefault, stream));
    return;
  }
  PeerCopy flat = copy;
  if (dense) flat = {copy.target, copy.source, 1, copy.bytes(), copy.bytes(), copy.bytes()};
  std::uintptr_t bits =
      reinterpret_cast<std::uintptr_t>(flat.target) | reinterpret_cast<std::uintptr_t>(flat.source) | flat.width;
  if (!dense) bits |= flat.target_pitch | flat.source_pitch;
  if (bits % 16 == 0)
    launch<uint4>(flat, stream);
  else if (bits % 8 == 0)
    launch<uint2>(flat, stream);
  else if (bits % 4 == 0)
    launch<unsigned>(flat, stream);
  else
    launch<std::uint16_t>(flat, stream);
}

namespace {

/// Makes later work on `waiting` follow the work already on `awaited`. An event belongs to the GPU of the stream on
/// which it is recorded.
void follow(const StreamOfGpu& awaited, const StreamOfGpu& waiting) {
  const DeviceScope scope(awaited.gpu);
  const Event done = make_event(false);
  OPSCHED_CUDA(cudaEventRecord(done.get(), awaited.stream));
  OPSCHED_CUDA(cudaStreamWaitEvent(waiting.stream, done.get(), 0));
}

}  // namespace

void enqueue_copy_through_host(const PeerCopy& copy, void* staging, const StreamOfGpu& from, const StreamOfGpu& to) {
  follow(to, from);
  {
    const DeviceScope scope(from.gpu);
    OPSCHED_CUDA(cudaMemcpy2DAsync(staging, copy.width, copy.source, copy.source_pitch, copy.width, copy.rows,
                                   cudaMemcpyDeviceToHost, from.stream));
  }
  follow(from, to);
  const DeviceScope scope(to.gpu);
  OPSCHED_CUDA(cudaMemcpy2DAsync(copy.target, copy.target_pitch, staging, copy.width, copy.width, copy.rows,
                                 cudaMemcpyHostToDevice, to.stream));
}

}  // namespace opsched
