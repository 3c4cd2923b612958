// Asynchronous copies from global to shared memory. <cuda_pipeline_primitives.h> offers the same, but compiles a size
// that is known only at run time into a tree of branches.
#pragma once

namespace opsched::native {

/// The address as shared-memory instructions take it.
__device__ __forceinline__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

/// Copies the first `used` of Bytes (4, 8 or 16) bytes to the shared address `to`, followed by zeros. Both are aligned
/// to Bytes; nothing is read if `used` is 0.
template <int Bytes>
__device__ __forceinline__ void copy_async(unsigned to, const void* from, int used = Bytes) {
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(used) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(Bytes), "r"(used)
                 : "memory");
}

/// Groups the copies that the thread has started since the last call.
__device__ __forceinline__ void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most this many of the thread's latest groups are in flight.
template <int Groups>
__device__ __forceinline__ void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
}

}  // namespace opsched::native
