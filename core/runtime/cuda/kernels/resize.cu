// Resizes images.
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"
#include "core/runtime/program/resize_taps.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128;

struct ResizeArgs {
  FastDiv inner, ow, oh, channels;  // inner: channel vectors in NHWC
  int h, w;
  std::uint32_t total;
};

/// A pixel of weight 0 does not enter the result: it may be infinite.
__device__ __forceinline__ float mix(float a, float b, float share) { return share == 0 ? a : a + (b - a) * share; }

/// A thread computes V channels of one output pixel.
template <class T, int V, bool kChannelsLast, bool kLinear>
__global__ void resize_kernel(const T* in, std::int64_t in_stride, const ResizeTap* __restrict__ taps, T* out,
                              std::int64_t out_stride, const __grid_constant__ ResizeArgs args) {
  static_assert(V == 1 || kChannelsLast);
  await_predecessor();
  std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= args.total) return;
  std::uint32_t c = 0;
  if constexpr (kChannelsLast) c = args.inner.split(i) * V;
  const std::uint32_t x = args.ow.split(i), y = args.oh.split(i);
  if constexpr (!kChannelsLast) c = args.channels.split(i);
  const std::int64_t n = i, oh = args.oh.divisor, ow = args.ow.divisor;
  const ResizeTap row = taps[y], column = taps[oh + x];
  const auto read = [&](int from_y, int from_x) {
    return load<T, V>(in + (kChannelsLast ? ((n * args.h + from_y) * args.w + from_x) * in_stride + c
                                          : n * in_stride + (std::int64_t{c} * args.h + from_y) * args.w + from_x));
  };
  float result[V];
  const auto above = read(row.first, column.first);
  if constexpr (kLinear) {
    const auto right = read(row.first, column.second), below = read(row.second, column.first),
               corner = read(row.second, column.second);
#pragma unroll
    for (int v = 0; v < V; ++v)
      result[v] = mix(mix(to_float(above.v[v]), to_float(right.v[v]), column.share),
                      mix(to_float(below.v[v]), to_float(corner.v[v]), column.share), row.share);
  } else {
#pragma unroll
    for (int v = 0; v < V; ++v) result[v] = to_float(above.v[v]);
  }
  store<T, V>(out + (kChannelsLast ? ((n * oh + y) * ow + x) * out_stride + c
                                   : n * out_stride + (std::int64_t{c} * oh + y) * ow + x),
              result);
}

}  // namespace

void resize(cudaStream_t stream, const ResizeCall& call, const void* in, std::int64_t in_stride, const ResizeTap* taps,
            void* out, std::int64_t out_stride) {
  const std::int64_t total = std::int64_t{call.n} * (call.c / call.vector) * call.oh * call.ow;
  const dim3 blocks(blocks_for(total, kThreads));
  ResizeArgs args;
  args.inner = FastDiv(call.c / call.vector);
  args.ow = FastDiv(call.ow);
  args.oh = FastDiv(call.oh);
  args.channels = FastDiv(call.c);
  args.h = call.h, args.w = call.w;
  args.total = static_cast<std::uint32_t>(total);
  with_vector(call.half, call.vector, [&](auto element, auto vector) {
    using T = decltype(element);
    const auto run = [&](auto kernel) {
      launch_overlapping(kernel, {blocks, dim3(kThreads)}, stream, static_cast<const T*>(in), in_stride, taps,
                         static_cast<T*>(out), out_stride, args);
    };
    if (call.layout == TensorFormat::nhwc)
      return call.linear ? run(resize_kernel<T, vector.value, true, true>)
                         : run(resize_kernel<T, vector.value, true, false>);
    if constexpr (vector.value == 1)
      call.linear ? run(resize_kernel<T, 1, false, true>) : run(resize_kernel<T, 1, false, false>);
  });
}

}  // namespace opsched::native
