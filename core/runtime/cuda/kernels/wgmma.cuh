// Products of a warp group (128 threads) on the tensor cores of sm_90: 64 x N += 64 x 32 bytes times 32 bytes x N, both
// operands in shared memory, or the left one in registers (PTX: wgmma).
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

namespace opsched::wgmma {

/// Describes an operand whose rows hold 16 bytes each and lie behind one another: [16 bytes of the sum][row]. `pitch`:
/// rows between two such columns. Addresses and distances are in units of 16 bytes.
__device__ __forceinline__ std::uint64_t descriptor(unsigned shared_address, int pitch) {
  constexpr int kEightRows = 8;
  const unsigned low = (shared_address >> 4) | static_cast<unsigned>(pitch) << 16;
  return static_cast<std::uint64_t>(kEightRows) << 32 | low;
}

/// Describes an operand whose rows hold `row` (64 or 128) bytes each, swizzled as tensor copies do it: the position of
/// 16 bytes in their row is changed by the bits of their address, so a row may begin at any multiple of its length.
__device__ __forceinline__ std::uint64_t swizzled(unsigned shared_address, int row) {
  const unsigned swizzle = row == 128 ? 1 : 2, eight_rows = 8 * row / 16;
  return std::uint64_t{swizzle << 30 | eight_rows} << 32 | std::uint64_t{1} << 16 | shared_address >> 4;
}

/// Orders earlier register and shared memory accesses before the following products.
__device__ __forceinline__ void open() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Groups the products since the last call.
__device__ __forceinline__ void close() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most this many of the latest groups are in flight.
template <int Groups>
__device__ __forceinline__ void await() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory");
}
/// Keeps the compiler from moving accesses to the sums over a wait.
template <int N>
__device__ __forceinline__ void pin(float (&sum)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+f"(sum[i])::"memory");
}

/// sum += left * right. Thread t holds rows t / 32 * 16 + t % 32 / 4 (+ 8) and, of every eight
/// columns, two: t % 4 * 2 and the next.
template <class T, int N>
struct Product;

#define OPSCHED_SUMS(i)                                                                                             \
  "+f"(sum[i]), "+f"(sum[i + 1]), "+f"(sum[i + 2]), "+f"(sum[i + 3]), "+f"(sum[i + 4]), "+f"(sum[i + 5]),           \
      "+f"(sum[i + 6]), "+f"(sum[i + 7]), "+f"(sum[i + 8]), "+f"(sum[i + 9]), "+f"(sum[i + 10]), "+f"(sum[i + 11]), \
      "+f"(sum[i + 12]), "+f"(sum[i + 13]), "+f"(sum[i + 14]), "+f"(sum[i + 15])
#define OPSCHED_LIST_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define OPSCHED_LIST_32 \
  OPSCHED_LIST_16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define OPSCHED_LIST_48 \
  OPSCHED_LIST_32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define OPSCHED_LIST_64 \
  OPSCHED_LIST_48 ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define OPSCHED_LIST_80 \
  OPSCHED_LIST_64 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define OPSCHED_LIST_96 \
  OPSCHED_LIST_80 ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define OPSCHED_LIST_112 \
  OPSCHED_LIST_96 ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define OPSCHED_LIST_128 \
  OPSCHED_LIST_112 ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

#define OPSCHED_PRODUCT_OF(T, N, SHAPE, TAIL, LIST, LEFT, RIGHT, ...)                                          \
  template <>                                                                                                  \
  struct Product<T, N> {                                                                                       \
    static __device__ __forceinline__ void add(float (&sum)[N / 2], std::uint64_t left, std::uint64_t right) { \
      asm volatile(                                                                                            \
          "{\n.reg .pred p;\nsetp.eq.u32 p, 1, 1;\n"                                                           \
          "wgmma.mma_async.sync.aligned.m64n" #N SHAPE " {" LIST "}, " LEFT ", " RIGHT ", p, 1, 1" TAIL ";\n}" \
          : __VA_ARGS__                                                                                        \
          : "l"(left), "l"(right));                                                                            \
    }                                                                                                          \
  };
#define OPSCHED_PRODUCT(N, LIST, LEFT, RIGHT, ...)                                           \
  OPSCHED_PRODUCT_OF(__half, N, "k16.f32.f16.f16", ", 0, 0", LIST, LEFT, RIGHT, __VA_ARGS__) \
  OPSCHED_PRODUCT_OF(float, N, "k8.f32.tf32.tf32", "", LIST, LEFT, RIGHT, __VA_ARGS__)

OPSCHED_PRODUCT(32, OPSCHED_LIST_16, "%16", "%17", OPSCHED_SUMS(0))
OPSCHED_PRODUCT(64, OPSCHED_LIST_32, "%32", "%33", OPSCHED_SUMS(0), OPSCHED_SUMS(16))
OPSCHED_PRODUCT(96, OPSCHED_LIST_48, "%48", "%49", OPSCHED_SUMS(0), OPSCHED_SUMS(16), OPSCHED_SUMS(32))
OPSCHED_PRODUCT(128, OPSCHED_LIST_64, "%64", "%65", OPSCHED_SUMS(0), OPSCHED_SUMS(16), OPSCHED_SUMS(32),
                OPSCHED_SUMS(48))
OPSCHED_PRODUCT(160, OPSCHED_LIST_80, "%80", "%81", OPSCHED_SUMS(0), OPSCHED_SUMS(16), OPSCHED_SUMS(32),
                OPSCHED_SUMS(48), OPSCHED_SUMS(64))
OPSCHED_PRODUCT(192, OPSCHED_LIST_96, "%96", "%97", OPSCHED_SUMS(0), OPSCHED_SUMS(16), OPSCHED_SUMS(32),
                OPSCHED_SUMS(48), OPSCHED_SUMS(64), OPSCHED_SUMS(80))
OPSCHED_PRODUCT(256, OPSCHED_LIST_128, "%128", "%129", OPSCHED_SUMS(0), OPSCHED_SUMS(16), OPSCHED_SUMS(32),
                OPSCHED_SUMS(48), OPSCHED_SUMS(64), OPSCHED_SUMS(80), OPSCHED_SUMS(96), OPSCHED_SUMS(112))

/// sum = left * right, or sum += left * right if `keep`, in tf32. `left`: registers as loaded by mma::load_matrices,
/// a warp's 16 rows each; they must not change before the product is awaited.
template <int N>
struct ProductOfRegisters;

#define OPSCHED_PRODUCT_OF_REGISTERS(N, LIST, LEFT, RIGHT, KEEP, ...)                                                  \
  template <>                                                                                                          \
  struct ProductOfRegisters<N> {                                                                                       \
    static __device__ __forceinline__ void add(float (&sum)[N / 2], const unsigned (&left)[4], std::uint64_t right,    \
                                               bool keep) {                                                            \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " KEEP                                                            \
                   ", 0;\n"                                                                                            \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k8.f32.tf32.tf32 {" LIST "}, {" LEFT "}, " RIGHT            \
                   ", p, 1, 1;\n}"                                                                                     \
                   : __VA_ARGS__                                                                                       \
                   : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(static_cast<int>(keep))); \
    }                                                                                                                  \
  };

OPSCHED_PRODUCT_OF_REGISTERS(32, OPSCHED_LIST_16, "%16, %17, %18, %19", "%20", "%21", OPSCHED_SUMS(0))
OPSCHED_PRODUCT_OF_REGISTERS(64, OPSCHED_LIST_32, "%32, %33, %34, %35", "%36", "%37", OPSCHED_SUMS(0), OPSCHED_SUMS(16))
OPSCHED_PRODUCT_OF_REGISTERS(96, OPSCHED_LIST_48, "%48, %49, %50, %51", "%52", "%53", OPSCHED_SUMS(0), OPSCHED_SUMS(16),
                             OPSCHED_SUMS(32))
OPSCHED_PRODUCT_OF_REGISTERS(128, OPSCHED_LIST_64, "%64, %65, %66, %67", "%68", "%69", OPSCHED_SUMS(0),
                             OPSCHED_SUMS(16), OPSCHED_SUMS(32), OPSCHED_SUMS(48))
OPSCHED_PRODUCT_OF_REGISTERS(160, OPSCHED_LIST_80, "%80, %81, %82, %83", "%84", "%85", OPSCHED_SUMS(0),
                             OPSCHED_SUMS(16), OPSCHED_SUMS(32), OPSCHED_SUMS(48), OPSCHED_SUMS(64))

#undef OPSCHED_PRODUCT_OF_REGISTERS
#undef OPSCHED_PRODUCT
#undef OPSCHED_PRODUCT_OF
#undef OPSCHED_SUMS
#undef OPSCHED_LIST_16
#undef OPSCHED_LIST_32
#undef OPSCHED_LIST_48
#undef OPSCHED_LIST_64
#undef OPSCHED_LIST_80
#undef OPSCHED_LIST_96
#undef OPSCHED_LIST_112
#undef OPSCHED_LIST_128

/// For warp groups of different register needs: all threads of a warp group give registers up, or get more.
template <int Registers>
__device__ __forceinline__ void shrink_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers>
__device__ __forceinline__ void grow_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}

}  // namespace opsched::wgmma
