// Launches that overlap with the end of the kernel before them on the stream (programmatic dependent
// launch, sm_90 and newer): a kernel may start early and load its weights, which nothing writes, but
// waits for its predecessor before it touches activations. Its own successor may start once it runs.
#pragma once

#include <cuda_runtime_api.h>

#include <utility>

#include "core/runtime/cuda/cuda_check.hpp"

namespace opsched::native {

/// Every thread calls it before it reads or writes activations.
__device__ __forceinline__ void await_predecessor() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  // Only now: a successor's successor must not fill the GPU with blocks that wait.
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Can the current device do it?
bool overlaps_launches();

/// Launches a kernel that calls await_predecessor().
template <class... Parameters, class... Arguments>
void launch_overlapping(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, std::size_t shared_bytes,
                        cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = overlaps_launches() ? 1 : 0;
  OPSCHED_CUDA(cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Arguments>(arguments))...));
}

}  // namespace opsched::native
