// Launches that overlap with the end of the preceding kernel on the stream (programmatic dependent launch, sm_90 and
// newer). A kernel may start early and load its weights, which no kernel writes, but it waits for its predecessor
// before it touches activations.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <utility>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/kernels/launch_style.hpp"

namespace opsched::native {

/// Every thread must call it before it reads or writes activations.
__device__ __forceinline__ void await_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the next kernel start once every block has called it or ended. Without this call, the next kernel starts as the
/// blocks end. Call it late: waiting blocks take up room that the running kernel needs, and pile up on multiprocessors
/// that it leaves free (calling it at the start cost a fifth of the time of Inception V3 in fp32).
__device__ __forceinline__ void release_successor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Prefetches memory that no kernel writes into the L2 cache: `count` pieces of `bytes`, `stride` apart, starting at
/// `from`. All threads of a block share the work.
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
/// Has the current device thread block clusters?
bool has_clusters();

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
  int cluster = 1;  ///< blocks per cluster, along z
  LaunchStyle style{};
};

/// Lets all launches of a kernel use as much dynamic shared memory as the current device allows. It belongs to the
/// kernel, not to a launch: with a smaller limit for one launch, graph nodes that need more could no longer run.
void allow_all_shared_memory(const void* kernel);

/// Dynamic shared memory for a launch in the grid's style. With a limit on crowding, the kernel must have been allowed
/// all shared memory.
std::size_t styled_shared_bytes(const void* kernel, const Grid& grid);

/// How many blocks of the kernel, with the grid's threads and shared memory, can be resident on the current device at
/// the same time.
int blocks_at_once(const void* kernel, const Grid& grid);
/// Can all blocks of the kernel be resident on the current device at the same time?
bool runs_at_once(const void* kernel, const Grid& grid);

/// Launches a kernel that calls await_predecessor(). Kernels whose blocks are all resident at once use the same split
/// between shared memory and L1 cache: a multiprocessor changes the split only when it is empty, so short kernels with
/// different splits would wait for each other. For longer kernels a change costs little, and some need the cache, so
/// the driver chooses.
template <class... Parameters, class... Arguments>
void launch_overlapping(void (*kernel)(Parameters...), const Grid& grid, cudaStream_t stream,
                        Arguments&&... arguments) {
  cudaLaunchAttribute attributes[3]{};
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = styled_shared_bytes(reinterpret_cast<const void*>(kernel), grid);
  config.stream = stream;
  config.attrs = attributes;
  if (overlaps_launches() && !grid.style.late) {
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
