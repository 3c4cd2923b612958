// Small device-side helpers that the kernels share.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "core/error.hpp"
#include "core/graph/activation.hpp"

namespace opsched::native {

/// Division of numbers below 2^31 by one that is known at launch.
struct FastDiv {
  std::uint32_t divisor = 1, multiplier = 0, shift = 0;
  FastDiv() = default;
  explicit FastDiv(std::uint32_t d) : divisor(d) {
    while ((std::uint64_t{1} << shift) < d) ++shift;
    multiplier = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - d)) / d + 1);
  }
  __device__ std::uint32_t div(std::uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
  /// n becomes the quotient; returns the remainder.
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

template <class T, int V>
__device__ __forceinline__ Vec<T, V> load(const T* p) {
  return *reinterpret_cast<const Vec<T, V>*>(p);
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

/// NaN if one of them is, so that errors show.
__device__ __forceinline__ float larger(float a, float b) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
  return larger;
}

__device__ __forceinline__ float activate(Activation act, float x) {
  if (act == Activation::relu) return larger(x, 0.f);
  if (act == Activation::tanh) return tanhf(x);
  return x;
}

/// An activation as a kernel knows it: when it is compiled, or (any) when it runs. What is chosen for every element
/// is for kernels that spend their time on it; tanh takes as long either way.
enum class Known { none, relu, any };

template <Known kKnown>
__device__ __forceinline__ float activate(Activation act, float x) {
  if constexpr (kKnown == Known::none) {
    return x;
  } else if constexpr (kKnown == Known::relu) {
    return larger(x, 0.f);
  } else {
    return activate(act, x);
  }
}

/// Calls f with the kind of `act` as a constant.
template <class F>
void with_known(Activation act, const F& f) {
  if (act == Activation::none) return f(std::integral_constant<Known, Known::none>{});
  if (act == Activation::relu) return f(std::integral_constant<Known, Known::relu>{});
  f(std::integral_constant<Known, Known::any>{});
}

/// act(x) of all elements, chosen once.
template <int N>
__device__ __forceinline__ void activate_all(Activation act, float (&x)[N]) {
  if (act == Activation::relu) {
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] = larger(x[i], 0.f);
  } else if (act == Activation::tanh) {
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] = tanhf(x[i]);
  }
}

/// The same for ConvGeometry::act.
__device__ __forceinline__ float activate(float x, int act) {
  return act == 1 ? larger(x, 0.f) : act == 2 ? tanhf(x) : x;
}

/// Blocks for `items` threads; kernels index with 31 bits.
inline int blocks_for(std::int64_t items, int threads) {
  if (items >= std::int64_t{1} << 31)
    throw Error("a tensor of 2^31 or more elements is too large for the CUDA kernels");
  return static_cast<int>((items + threads - 1) / threads);
}

}  // namespace opsched::native
