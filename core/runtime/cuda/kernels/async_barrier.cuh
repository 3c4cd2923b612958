// Barriers in shared memory that count arrivals and bytes (PTX: mbarrier, sm_90 and newer), and the bulk copies that
// arrive at them. Barriers are shared addresses; their phases alternate between parity 0 and 1.
#pragma once

#include <cuda.h>

namespace opsched::native::barrier {

__device__ __forceinline__ void init(unsigned at, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(at), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void arrive(unsigned at) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(at) : "memory");
}

/// Arrives, and lets the phase wait for that many bytes of bulk copies as well.
__device__ __forceinline__ void arrive_expecting(unsigned at, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(at), "r"(bytes) : "memory");
}

/// Waits for the end of the phase of this parity. On a new barrier, parity 1 has ended.
__device__ __forceinline__ void await(unsigned at, unsigned parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}" ::"r"(at),
      "r"(parity)
      : "memory");
}

/// Copies a multiple of 16 bytes to a shared address and reports them to a barrier.
__device__ __forceinline__ void bulk_copy(unsigned to, const void* from, int bytes, unsigned at) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(at)
               : "memory");
}

/// Copies a box of a tensor of four dimensions, from these coordinates on, to a shared address.
__device__ __forceinline__ void tensor_copy(unsigned to, const CUtensorMap& from, int c, int w, int h, int n,
                                            unsigned at) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], "
      "[%6];" ::"r"(to),
      "l"(&from), "r"(c), "r"(w), "r"(h), "r"(n), "r"(at)
      : "memory");
}

}  // namespace opsched::native::barrier
