// Small device-side helpers shared by the kernels.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "core/error.hpp"
#include "core/graph/activation.hpp"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {

/// Division of numbers below 2^31 by a divisor known at launch.
struct FastDiv {
  std::uint32_t divisor = 1, multiplier = 0, shift = 0;
  FastDiv() = default;
  explicit FastDiv(std::uint32_t d) : divisor(d) {
    while ((std::uint64_t{1} << shift) < d) ++shift;
    multiplier = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - d)) / d + 1);
  }
  __device__ std::uint32_t div(std::uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
  /// Replaces n by the quotient and returns the remainder.
  __device__ std::uint32_t split(std::uint32_t& n) const {
    const std::uint32_t q = div(n), r = n - q * divisor;
    n = q;
    return r;
  }
};

template <class T, int V>
struct alignas(sizeof(T) * V) Vec {
  T v[V];
};

__device__ __forceinline__ void add(float4& sum, const float4& x) {
  sum.x += x.x, sum.y += x.y, sum.z += x.z, sum.w += x.w;
}

template <class T, int V>
__device__ __forceinline__ Vec<T, V> load(const T* p) {
  return *reinterpret_cast<const Vec<T, V>*>(p);
}

/// Loads what nothing writes while the kernel runs (from its await_predecessor() on). Such a load may pass stores;
/// being volatile, it stays behind await_predecessor().
template <class V>
__device__ __forceinline__ V load_constant(const V* p) {
  V v;
  if constexpr (sizeof(V) == 16) {
    uint4& x = reinterpret_cast<uint4&>(v);
    asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "l"(p));
  } else if constexpr (sizeof(V) == 8) {
    uint2& x = reinterpret_cast<uint2&>(v);
    asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(p));
  } else if constexpr (sizeof(V) == 4) {
    asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(reinterpret_cast<unsigned&>(v)) : "l"(p));
  } else {
    static_assert(sizeof(V) == 2);
    asm volatile("ld.global.nc.u16 %0, [%1];" : "=h"(reinterpret_cast<unsigned short&>(v)) : "l"(p));
  }
  return v;
}

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }
template <class T>
__device__ __forceinline__ T from_float(float x) {
  if constexpr (sizeof(T) == 2) {
    return __float2half(x);
  } else {
    return x;
  }
}

template <class T, int V>
__device__ __forceinline__ void store(T* p, const float (&values)[V]) {
  Vec<T, V> out;
#pragma unroll
  for (int i = 0; i < V; ++i) out.v[i] = from_float<T>(values[i]);
  *reinterpret_cast<Vec<T, V>*>(p) = out;
}

/// NaN if either is NaN, so that errors stay visible.
__device__ __forceinline__ float larger(float a, float b) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
  return larger;
}

__device__ __forceinline__ float smaller(float a, float b) {
  float smaller;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(smaller) : "f"(a), "f"(b));
  return smaller;
}

/// Computed by the special function unit: accurate to one part in a million, and exact at both ends.
__device__ __forceinline__ float sigmoid(float x) {
  float power, result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * -1.44269504f));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(1.f + power));
  return result;
}

/// What a kernel knows about an activation at compile time; any: the kind is read at run time.
enum class Known { none, relu, silu, hard_swish, any };

/// Calls f with the kind of `act` as a compile-time constant.
template <class F>
void with_known(const Activation& act, const F& f) {
  switch (act.kind) {
    case Activation::none:
      return f(std::integral_constant<Known, Known::none>{});
    case Activation::relu:
      return f(std::integral_constant<Known, Known::relu>{});
    case Activation::silu:
      return f(std::integral_constant<Known, Known::silu>{});
    case Activation::hard_swish:
      return f(std::integral_constant<Known, Known::hard_swish>{});
    default:
      return f(std::integral_constant<Known, Known::any>{});
  }
}

/// The same for an activation in front of a window (native_kernels.hpp).
template <class F>
void with_known_pre(const Activation& pre, const F& f) {
  if (!is_plain(pre)) throw Error("a kernel that reads " + to_string(pre) + " of its input does not exist");
  if (pre == Activation::relu) return f(std::integral_constant<Known, Known::relu>{});
  f(std::integral_constant<Known, Known::none>{});
}

template <Known kKnown>
__device__ __forceinline__ float activate(float x) {
  static_assert(kKnown != Known::any);
  if constexpr (kKnown == Known::relu) return larger(x, 0.f);
  if constexpr (kKnown == Known::silu) return x * sigmoid(x);
  if constexpr (kKnown == Known::hard_swish)
    return x * __saturatef(fmaf(x, 1.f / 6, 0.5f));  // a NaN comes through in the first factor
  return x;
}

template <int N, class F>
__device__ __forceinline__ void for_all(float (&x)[N], const F& f) {
#pragma unroll
  for (int i = 0; i < N; ++i) x[i] = f(x[i]);
}

/// Calls apply(f), where f(x) computes an activation for which is_light() holds. The choice is made once per call of
/// `apply`, and several kinds share a form: compilers take very long over many branches in unrolled loops.
template <class Apply>
__device__ __forceinline__ void with_light(const Activation& act, const Apply& apply) {
  const Activation::Kind kind = act.kind;
  if (kind == Activation::none) return;
  if (kind == Activation::relu) return apply([](float v) { return activate<Known::relu>(v); });
  if (kind == Activation::silu || kind == Activation::sigmoid) {
    const bool times = kind == Activation::silu;
    return apply([=](float v) { return sigmoid(v) * (times ? v : 1.f); });
  }
  if (kind == Activation::leaky_relu) {
    const float slope = act.a;
    return apply([=](float v) { return v < 0 ? slope * v : v; });
  }
  // A line between two limits: clip, hard_sigmoid, and hard_swish, which is x times that.
  const bool clip = kind == Activation::clip, times = kind == Activation::hard_swish;
  const float slope = clip ? 1.f : times ? 1.f / 6 : act.a, middle = clip ? 0.f : times ? 0.5f : act.b;
  const float least = clip ? act.a : 0.f, most = clip ? act.b : 1.f;
  apply([=](float v) { return smaller(larger(fmaf(slope, v, middle), least), most) * (times ? v : 1.f); });
}

/// Calls f(i, j) for every element of an M x N product, row by row, to and fro. Neighbours share i or j. A
/// multiply-add needs three registers, but only two can be read per clock; one that the multiply-add before it has read
/// costs nothing.
template <int M, int N, class F>
__device__ __forceinline__ void to_and_fro(const F& f) {
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j) f(i, i % 2 == 0 ? j : N - 1 - j);
}

/// Applies an activation for which is_light() holds to all elements.
template <int N>
__device__ __forceinline__ void activate_light(const Activation& act, float (&x)[N]) {
  with_light(act, [&](const auto& f) { for_all(x, f); });
}
__device__ __forceinline__ float activate_light(const Activation& act, float x) {
  float one[1] = {x};
  activate_light(act, one);
  return one[0];
}

/// Adds the first `count` of N channels of a residual, if `wide` and all exist in loads of up to 16 bytes; then, if
/// `relu`, a ReLU.
template <class T, int N>
__device__ __forceinline__ void add_residual(float (&x)[N], const T* residual, int count, bool wide, bool relu) {
  constexpr int kEach = N * sizeof(T) > 16 ? 16 / static_cast<int>(sizeof(T)) : N;
  if (wide && count >= N) {
#pragma unroll
    for (int i = 0; i < N; i += kEach) {
      const auto piece = load_constant(reinterpret_cast<const Vec<T, kEach>*>(residual + i));
#pragma unroll
      for (int j = 0; j < kEach; ++j) x[i + j] += to_float(piece.v[j]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i)
      if (i < count) x[i] += to_float(load_constant(residual + i));
  }
  if (relu) for_all(x, [](float v) { return larger(v, 0.f); });
}

/// Applies any activation to all elements.
template <int N>
__device__ __forceinline__ void activate_all(const Activation& act, float (&x)[N]) {
  const float a = act.a;
  if (act.kind == Activation::tanh) return for_all(x, [](float v) { return tanhf(v); });
  if (act.kind == Activation::elu) return for_all(x, [=](float v) { return v < 0 ? a * expm1f(v) : v; });
  if (act.kind == Activation::gelu) return for_all(x, [](float v) { return 0.5f * v * (1.f + erff(v * 0.70710678f)); });
  if (act.kind == Activation::softplus)
    return for_all(x, [](float v) { return larger(v, 0.f) + log1pf(expf(-fabsf(v))); });
  activate_light(act, x);
}

template <Known kKnown, int N>
__device__ __forceinline__ void activate_known(const Activation& act, float (&x)[N]) {
  if constexpr (kKnown == Known::any) {
    activate_all(act, x);
  } else {
    for_all(x, [](float v) { return activate<kKnown>(v); });
  }
}

/// Calls f with a value of the element type and the vector width as a compile-time constant.
template <class F>
void with_vector(bool half, int vector, const F& f) {
  if (half) {
    if (vector == 8) return f(__half{}, std::integral_constant<int, 8>{});
    if (vector == 4) return f(__half{}, std::integral_constant<int, 4>{});
    if (vector == 2) return f(__half{}, std::integral_constant<int, 2>{});
    return f(__half{}, std::integral_constant<int, 1>{});
  }
  if (vector == 4) return f(float{}, std::integral_constant<int, 4>{});
  if (vector == 2) return f(float{}, std::integral_constant<int, 2>{});
  return f(float{}, std::integral_constant<int, 1>{});
}

/// Blocks for `items` threads. Throws Error if they do not fit into the kernels' 31-bit indices.
inline int blocks_for(std::int64_t items, int threads) {
  if (items >= std::int64_t{1} << 31)
    throw Error("a tensor of 2^31 or more elements is too large for the CUDA kernels");
  return static_cast<int>((items + threads - 1) / threads);
}

}  // namespace opsched::native
