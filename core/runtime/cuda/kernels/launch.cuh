// Launches that overlap with the end of the kernel before them on the stream (programmatic dependent
// launch, sm_90 and newer): a kernel may start early and load its weights, which nothing writes, but
// waits for its predecessor before it touches activations.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <utility>

#include "core/runtime/cuda/device/cuda_check.hpp"

namespace opsched::native {

/// Every thread calls it before it reads or writes activations.
__device__ __forceinline__ void await_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the next kernel start once every block has called it or ended; a kernel that never calls it lets
/// the next one start as its blocks end. To be called late: blocks that wait take the places of the
/// running kernel's and pile up on the multiprocessors that it leaves free (a fifth of the time of
/// Inception V3 in fp32, when called at the start).
__device__ __forceinline__ void release_successor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Starts to fetch memory that no kernel writes into the L2 cache: `count` pieces of `bytes` at
/// `stride` from `from` on. All threads of a block share the work.
__device__ __forceinline__ void prefetch(const void* from, int count, std::int64_t stride, int bytes) {
  constexpr int kLine = 128;
  const int lines = (bytes + kLine - 1) / kLine;
  for (int i = threadIdx.x; i < count * lines; i += blockDim.x) {
    const char* line = static_cast<const char*>(from) + i / lines * stride + i % lines * kLine;
    asm volatile("prefetch.global.L2 [%0];" ::"l"(line));
  }
}

/// Can the current device overlap launches?
bool overlaps_launches();

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
  int cluster = 1;  ///< blocks of a cluster, along z
};

/// Can all blocks of the kernel be on the current device at the same time?
bool runs_at_once(const void* kernel, const Grid& grid);

/// Launches a kernel that calls await_predecessor(). Kernels that run at once all divide a
/// multiprocessor's memory alike between shared memory and cache: it changes the division only when it
/// is empty, so that short kernels of two kinds in a row would wait for each other. For longer ones
/// a change costs little, and some need the cache: the driver chooses their division.
template <class... Parameters, class... Arguments>
void launch_overlapping(void (*kernel)(Parameters...), const Grid& grid, cudaStream_t stream,
                        Arguments&&... arguments) {
  cudaLaunchAttribute attributes[3]{};
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  if (overlaps_launches()) {
    cudaLaunchAttribute& a = attributes[config.numAttrs++];
    a.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    a.val.programmaticStreamSerializationAllowed = 1;
  }
  if (grid.cluster > 1) {
    cudaLaunchAttribute& a = attributes[config.numAttrs++];
    a.id = cudaLaunchAttributeClusterDimension;
    a.val.clusterDim.x = a.val.clusterDim.y = 1;
    a.val.clusterDim.z = grid.cluster;
  }
#if CUDART_VERSION >= 12060
  if (runs_at_once(reinterpret_cast<const void*>(kernel), grid)) {
    cudaLaunchAttribute& a = attributes[config.numAttrs++];
    a.id = cudaLaunchAttributePreferredSharedMemoryCarveout;
    a.val.sharedMemCarveout = cudaSharedmemCarveoutMaxShared;
  }
#endif
  OPSCHED_CUDA(cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Arguments>(arguments))...));
}

}  // namespace opsched::native
