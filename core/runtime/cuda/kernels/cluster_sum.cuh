// A sum shared by the blocks of a thread block cluster: every block sends its partial results to the block that adds
// them up. With a cluster barrier before reading from other blocks, every kernel would wait twice until all its writes
// have reached global memory (MEMBAR.ALL.GPU). Here, values go from registers straight into the other block's shared
// memory, which counts the bytes that arrive (PTX: st.async, mbarrier).
#pragma once

#include <cstdint>

#include "core/runtime/cuda/kernels/async_barrier.cuh"
#include "core/runtime/cuda/kernels/copy_async.cuh"

namespace opsched::native {

/// A tile is split into chunks of one float4 per thread; block c % blocks of the cluster adds up chunk c. Before sm_90
/// there are no clusters: it is then used with one block only, and does nothing.
/// For kernels whose occupancy is not limited by registers. conv_simt does not use it: there it took 55 registers
/// instead of 47 and was 3 to 6% slower than barriers.
template <int Chunks, int Threads>
class ClusterSum {
 public:
  /// Bytes of shared memory that a block receives into.
  static constexpr int received_bytes(int blocks) { return (Chunks + blocks - 1) / blocks * blocks * Threads * 16; }

  /// Called by all threads at the start of the kernel. `counter` is in shared memory.
  static __device__ __forceinline__ void open(std::uint64_t& counter, int block, int blocks) {
#if __CUDA_ARCH__ >= 900
    if (blocks == 1 || threadIdx.x > 0) return;
    const int chunks = (Chunks - block + blocks - 1) / blocks;  // added up by this block
    const unsigned at = shared_address(&counter);
    barrier::init(at, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    barrier::arrive_expecting(at, chunks * blocks * Threads * 16);
#endif
  }

  /// Create it when the sum begins: earlier, it would only occupy registers. `received`: received_bytes() of shared
  /// memory, at the same place in every block.
  __device__ __forceinline__ ClusterSum(std::uint64_t& counter, float4* received, int block, int blocks)
      : counter_(shared_address(&counter)), received_(received), block_(block), blocks_(blocks) {}

  /// Called by all threads, after a block barrier, once the block no longer needs the data at `received`. From then on
  /// the other blocks may send.
  __device__ __forceinline__ void ready() const {
#if __CUDA_ARCH__ >= 900
    if (blocks_ > 1) asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
#endif
  }

  /// Calls partial(c) for this thread's part of every chunk and sends the result; then waits for what the other blocks
  /// send.
  template <class Partial>
  __device__ __forceinline__ void exchange(const Partial& partial) const {
#if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
    int owner = 0, place = block_;
#pragma unroll 4
    for (int c = 0; c < Chunks; ++c) {
      send(owner, place, partial(c));
      if (++owner == blocks_) owner = 0, place += blocks_;
    }
    await();
#endif
  }

  /// After exchange(): chunk c as `block` sent it, where c is one of the chunks that this block adds up.
  __device__ __forceinline__ const float4* chunk_of(int c, int block) const {
    return received_ + (c / blocks_ * blocks_ + block) * Threads;
  }

 private:
#if __CUDA_ARCH__ >= 900
  __device__ __forceinline__ void send(int owner, int place, float4 value) const {
    unsigned to = 0, counter = 0;
    asm("mapa.shared::cluster.u32 %0, %1, %2;"
        : "=r"(to)
        : "r"(shared_address(received_ + place * Threads + threadIdx.x)), "r"(owner));
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(counter) : "r"(counter_), "r"(owner));
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to),
                 "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(counter)
                 : "memory");
  }

  __device__ __forceinline__ void await() const {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%0], 0;\n"
        "@!done bra again;\n"
        "}" ::"r"(counter_)
        : "memory");
  }
#endif

  unsigned counter_;
  float4* received_;
  int block_, blocks_;
};

}  // namespace opsched::native
