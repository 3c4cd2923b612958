// How the kernel of conv_wgmma.cu adds the residual to its sums, and activates and stores them.
#pragma once

#include "core/runtime/cuda/kernels/conv_wgmma_params.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"

namespace opsched::wgmma {

/// Stores sixteen bytes of a pixel's channels, or the first `count` channels.
template <class T>
__device__ __forceinline__ void store(T* out, uint4 bits, int count, bool wide) {
  constexpr int kEach = 16 / sizeof(T);
  if (wide && count >= kEach) {
    *reinterpret_cast<uint4*>(out) = bits;
  } else {
    const T* const x = reinterpret_cast<const T*>(&bits);
#pragma unroll
    for (int i = 0; i < kEach; ++i)
      if (i < count) out[i] = x[i];
  }
}

/// The same for a load.
template <class T>
__device__ __forceinline__ uint4 load(const T* from, int count, bool wide) {
  constexpr int kEach = 16 / sizeof(T);
  if (wide && count >= kEach) return native::load_constant(reinterpret_cast<const uint4*>(from));
  uint4 bits{};
  T* const x = reinterpret_cast<T*>(&bits);
#pragma unroll
  for (int i = 0; i < kEach; ++i)
    if (i < count) x[i] = native::load_constant(from + i);
  return bits;
}

/// Two neighbouring channels as they are stored.
template <bool Relu>
__device__ __forceinline__ unsigned two_channels(float a, float b, __half) {
  unsigned both;
  if constexpr (Relu)
    asm("cvt.rn.relu.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(b), "f"(a));
  else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(b), "f"(a));
  return both;
}
template <bool Relu>
__device__ __forceinline__ float2 two_channels(float a, float b, float) {
  return Relu ? make_float2(native::larger(a, 0.f), native::larger(b, 0.f)) : make_float2(a, b);
}

/// Where an output pixel of the padded grid is stored, or null.
template <class T>
__device__ __forceinline__ T* output_of(const Params& params, std::uint32_t pixel) {
  const ConvGeometry& g = params.g;
  const int q = static_cast<int>(params.row.split(pixel)), p = static_cast<int>(params.image.split(pixel));
  const int at = p * g.q + q;
  if (q >= g.q || at >= params.image_pixels || static_cast<int>(pixel) >= g.batch) return nullptr;
  return reinterpret_cast<T*>(params.output) + pixel * g.out_stride_n + at * g.out_stride;
}

/// The same for the output and the residual; no branch, because with one, larger tiles spilled more registers.
template <class T>
__device__ __forceinline__ T* output_of(const Params& params, std::uint32_t pixel, const T*& residual) {
  const ConvGeometry& g = params.g;
  const int q = static_cast<int>(params.row.split(pixel)), p = static_cast<int>(params.image.split(pixel));
  const int at = p * g.q + q;
  const bool exists = q < g.q && at < params.image_pixels && static_cast<int>(pixel) < g.batch;
  residual = reinterpret_cast<const T*>(params.residual) + pixel * g.residual_stride_n + at * g.residual_stride;
  T* const out = reinterpret_cast<T*>(params.output) + pixel * g.out_stride_n + at * g.out_stride;
  return exists ? out : nullptr;
}

/// max(a + b, least) of sixteen bytes of channels, rounded as the output.
__device__ __forceinline__ uint4 add_channels(uint4 a, uint4 b, float least, __half) {
  const auto add = [&](unsigned x, unsigned y) {
    const __half2 sum =
        __hmax2_nan(__hadd2(reinterpret_cast<__half2&>(x), reinterpret_cast<__half2&>(y)), __float2half2_rn(least));
    return reinterpret_cast<const unsigned&>(sum);
  };
  return {add(a.x, b.x), add(a.y, b.y), add(a.z, b.z), add(a.w, b.w)};
}
__device__ __forceinline__ uint4 add_channels(uint4 a, uint4 b, float least, float) {
  const auto add = [&](unsigned x, unsigned y) {
    return __float_as_uint(native::larger(__uint_as_float(x) + __uint_as_float(y), least));
  };
  return {add(a.x, b.x), add(a.y, b.y), add(a.z, b.z), add(a.w, b.w)};
}

/// Where the channels of a thread's pixels are in the output, or null, and in the residual.
template <bool Residual, class T, int M>
struct Pixels {
  T* out[M][2];
  const T* residual[M][2];
  __device__ __forceinline__ Pixels(const Params& params, int first_pixel, int first_row) {
#pragma unroll
    for (int i = 0; i < 2 * M; ++i) {
      const int pixel = first_pixel + i / 2 * 64 + threadIdx.x % kGroup / 32 * 16 + i % 2 * 8 + threadIdx.x % 32 / 4;
      T* at;
      if constexpr (Residual) {
        at = output_of<T>(params, pixel, residual[i / 2][i % 2]);
        residual[i / 2][i % 2] += first_row;
      } else {
        at = output_of<T>(params, pixel);
      }
      out[i / 2][i % 2] = at ? at + first_row : nullptr;
    }
  }
};

/// Stores a warp's sums by slabs of 16 pixels x 32 channels, through shared memory, so that each thread stores sixteen
/// bytes. Keep this code short: it runs once per tile, and every shorter version was faster (docs/performance).
/// `least`: lower bound of the sums with the residual.
template <bool Relu, bool Residual, class T, int M, int N>
__device__ __forceinline__ void store_sums(const float (&sum)[M][N / 2], const Pixels<Residual, T, M>& pixels,
                                           char* slab, int count, bool wide, [[maybe_unused]] float least) {
  using Two = decltype(two_channels<Relu>(0.f, 0.f, T{}));
  constexpr int kPitch = slab_pitch(sizeof(T)), kEach = 16 / sizeof(T);
  const int lane = threadIdx.x % 32;
  Two* const to = reinterpret_cast<Two*>(slab + lane / 4 * kPitch) + lane % 4;
  const char* const from = slab + lane / 4 * kPitch + lane % 4 * 16;
#pragma unroll
  for (int i = 0; i < M * N / kSlab; ++i) {
    const int m = i / (N / kSlab), at = i % (N / kSlab) * kSlab;
    const float* x = sum[m] + at / 2;
#pragma unroll
    for (int k = 0; k < kSlab / 8; ++k) {
      to[k * 4] = two_channels<Relu>(x[k * 4], x[k * 4 + 1], T{});
      to[k * 4 + 8 * kPitch / sizeof(Two)] = two_channels<Relu>(x[k * 4 + 2], x[k * 4 + 3], T{});
    }
    __syncwarp();
#pragma unroll
    for (int below = 0; below < 2; ++below)
#pragma unroll
      for (int part = 0; part < kSlab; part += 4 * kEach) {
        uint4 bits = *reinterpret_cast<const uint4*>(from + below * 8 * kPitch + part * sizeof(T));
        const int channel = at + part + lane % 4 * kEach;
        if (!pixels.out[m][below]) continue;
        if constexpr (Residual) {
          // Loads a slab ahead would hide more latency, but took more registers than the larger tiles have.
          bits = add_channels(bits, load(pixels.residual[m][below] + channel, count - channel, wide), least, T{});
        }
        store(pixels.out[m][below] + channel, bits, count - channel, wide);
      }
    __syncwarp();
  }
}

/// Activates and stores a warp's sums.
template <bool Residual, class T, int M, int N>
__device__ __forceinline__ void finish(const float (&sum)[M][N / 2], const Params& params, char* slab, int first_pixel,
                                       int first_row) {
  const Pixels<Residual, T, M> pixels(params, first_pixel, first_row);
  const float least = params.g.post_relu ? 0.f : -INFINITY;
  if (params.g.act.kind == Activation::relu)
    store_sums<true, Residual, T, M, N>(sum, pixels, slab, params.g.k - first_row, params.wide_output, least);
  else
    store_sums<false, Residual, T, M, N>(sum, pixels, slab, params.g.k - first_row, params.wide_output, least);
}

/// Brings a tile's residual into the L2 cache while its products are computed.
template <class T, int M, int N>
__device__ __forceinline__ void prefetch_residual(const Params& params, int first_pixel, int first_row) {
  constexpr int kLine = 128 / sizeof(T);
  const Pixels<true, T, M> pixels(params, first_pixel, first_row);
#pragma unroll
  for (int i = 0; i < 2 * M; ++i)
    for (int at = threadIdx.x % 4 * kLine; at < min(N, params.g.k - first_row); at += 4 * kLine)
      if (pixels.out[i / 2][i % 2]) asm volatile("prefetch.global.L2 [%0];" ::"l"(pixels.residual[i / 2][i % 2] + at));
}

}  // namespace opsched::wgmma
