// What the convolutions on the matrix units share on the device.
#pragma once

#include <cuda_fp16.h>

namespace opsched {

__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, __half) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, float) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// What the input goes through on its way to the matrix units.
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, __half) {
  if (!relu) return x;
  const __half2 v = __hmax2(*reinterpret_cast<__half2*>(&x), __float2half2_rn(0.f));
  return *reinterpret_cast<const unsigned*>(&v);
}
__device__ __forceinline__ unsigned prepare(unsigned x, bool relu, float) {
  const float v = relu ? fmaxf(__uint_as_float(x), 0.f) : __uint_as_float(x);
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(v));
  return rounded;
}

__device__ __forceinline__ float activate(float x, int act) {
  return act == 1 ? fmaxf(x, 0.f) : act == 2 ? tanhf(x) : x;
}

}  // namespace opsched
