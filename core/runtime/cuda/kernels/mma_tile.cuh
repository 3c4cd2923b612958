// Tiles of 64-byte rows in shared memory, and products of their rows on the tensor cores.
#pragma once

#include <cuda_fp16.h>

#include "core/precision.hpp"

namespace opsched::mma {

/// The formats in which the tensor cores multiply, what memory holds for them, and how many numbers the tensor cores
/// get for each of these.
struct Fp16 {
  using Stored = __half;
  static constexpr int kTerms = 1;
};
struct Tf32 {
  using Stored = float;
  static constexpr int kTerms = 1;
};
/// Each fp32 number is the sum of two tf32 numbers, and each product is three tf32 products.
struct Tf32x3 {
  using Stored = float;
  static constexpr int kTerms = 2;
};

/// Something for each format.
template <class T>
struct PerFormat {
  T fp16, tf32, tf32x3;

  /// Not for fp32, which has no format here.
  constexpr const T& in(Precision precision) const {
    return precision == Precision::fp16 ? fp16 : precision == Precision::tf32 ? tf32 : tf32x3;
  }
};

constexpr int kRowBytes = 64;  // row size of a tile: 16 floats or 32 halves
constexpr int kChunks = kRowBytes / 16;

/// Byte offset of a 16-byte chunk in a tile. The swizzle puts one chunk of eight rows into different banks.
__device__ __forceinline__ int chunk_at(int row, int chunk) {
  return row * kRowBytes + ((chunk ^ ((row >> 1) & (kChunks - 1))) << 4);
}

__device__ __forceinline__ void load_matrices(unsigned (&m)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(address));
}

/// Loads 16 rows of a tile, 32 bytes of each, in the layout that the tensor cores need. The constructor computes each
/// thread's addresses once.
class Reader {
 public:
  /// `row`: the first row of the warp's part, a multiple of 16. `left`: whether the tile is the product's left operand.
  __device__ __forceinline__ Reader(int row, bool left) {
    const int lane = threadIdx.x % 32;
    at_[0] = left ? chunk_at(row + lane % 16, lane / 16) : chunk_at(row + lane % 8 + lane / 16 * 8, lane / 8 % 2);
    at_[1] = at_[0] ^ (2 << 4);  // two chunks further; the swizzle flips bits
  }
  /// Loads from the tile at a shared address, `down` rows further down (a multiple of 16), chunks k and k + 1 (k: 0 or
  /// 2).
  __device__ __forceinline__ void load(unsigned (&m)[4], unsigned tile, int down, int k) const {
    load_matrices(m, tile + at_[k / 2] + down * kRowBytes);
  }

 private:
  static_assert(kChunks == 4);
  unsigned at_[2];
};

__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, Fp16) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, Tf32) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Rounds to the nearest number in the tensor cores' tf32 format.
__device__ __forceinline__ unsigned round_to_tf32(float x) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}

/// Each of four numbers as a sum of two that the tensor cores read as tf32: `big` is rounded to nearest, and of `small`
/// they ignore the bits that tf32 has no place for. The error is at most 2^-23 of the number, as much as its last bit
/// in fp32.
struct Terms {
  unsigned big[4], small[4];
};
__device__ __forceinline__ Terms terms_of(const unsigned (&x)[4]) {
  Terms terms;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    terms.big[i] = (x[i] + 0x1000) & 0xffffe000;  // halves are rounded up in magnitude
    terms.small[i] = __float_as_uint(__uint_as_float(x[i]) - __uint_as_float(terms.big[i]));
  }
  return terms;
}

/// sum += left x right: rows of 16 and columns of 8, two of which share four words of `right`.
template <int Rows, int Columns, class Format>
__device__ __forceinline__ void multiply_all(float (&sum)[Rows][Columns][4], const unsigned (&left)[Rows][4],
                                             const unsigned (&right)[Columns / 2][4], Format format) {
#pragma unroll
  for (int i = 0; i < Rows; ++i)
#pragma unroll
    for (int j = 0; j < Columns; ++j)
      multiply(sum[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1], format);
}

/// As a sum of three products; that of two small terms is below the last bit. They are summed apart and added in fp32,
/// because the tensor cores do not round their sums to nearest (Ootomo and Yokota, 2022).
template <int Rows, int Columns>
__device__ __forceinline__ void multiply_all(float (&sum)[Rows][Columns][4], const unsigned (&left)[Rows][4],
                                             const unsigned (&right)[Columns / 2][4], Tf32x3) {
  Terms b[Columns / 2];
#pragma unroll
  for (int j = 0; j < Columns / 2; ++j) b[j] = terms_of(right[j]);
#pragma unroll
  for (int i = 0; i < Rows; ++i) {
    const Terms a = terms_of(left[i]);
    // Each product for all columns before the next: a product waits for the one before it in its column.
    float products[Columns][4] = {};
#pragma unroll
    for (int j = 0; j < Columns; ++j)
      multiply(products[j], a.small, b[j / 2].big[j % 2 * 2], b[j / 2].big[j % 2 * 2 + 1], Tf32{});
#pragma unroll
    for (int j = 0; j < Columns; ++j)
      multiply(products[j], a.big, b[j / 2].small[j % 2 * 2], b[j / 2].small[j % 2 * 2 + 1], Tf32{});
#pragma unroll
    for (int j = 0; j < Columns; ++j)
      multiply(products[j], a.big, b[j / 2].big[j % 2 * 2], b[j / 2].big[j % 2 * 2 + 1], Tf32{});
#pragma unroll
    for (int j = 0; j < Columns * 4; ++j) sum[i][j / 4][j % 4] += products[j / 4][j % 4];
  }
}

/// Writes a warp's part of the product to shared memory; its corner is at `tile`.
template <int Rows, int Columns>
__device__ __forceinline__ void store_product(const float (&sum)[Rows][Columns][4], float* tile, int pitch) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < Rows; ++i)
#pragma unroll
    for (int j = 0; j < Columns; ++j) {
      float* at = tile + (i * 16 + lane / 4) * pitch + j * 8 + lane % 4 * 2;
      *reinterpret_cast<float2*>(at) = make_float2(sum[i][j][0], sum[i][j][1]);
      *reinterpret_cast<float2*>(at + 8 * pitch) = make_float2(sum[i][j][2], sum[i][j][3]);
    }
}

template <class T>
struct alignas(4 * sizeof(T)) Four {
  T v[4];
};

/// Stores the first `count` of four channels, in one store if all four exist and `wide` allows it.
template <class T>
__device__ __forceinline__ void store_four(T* out, const float (&x)[4], int count, bool wide) {
  const Four<T> four{{T(x[0]), T(x[1]), T(x[2]), T(x[3])}};
  if (wide && count >= 4) {
    *reinterpret_cast<Four<T>*>(out) = four;
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (j < count) out[j] = four.v[j];
  }
}

}  // namespace opsched::mma
