#include "core/runtime/cuda/device_math.cuh"
#include "core/runtime/cuda/launch.cuh"
#include "core/runtime/cuda/native_kernels.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128;

struct PoolArgs {
  Window window;
  FastDiv inner, ow, oh, channels;  // inner: channel vectors in NHWC
  std::uint32_t total;
  bool max, count_padding;
  Activation pre;
};

/// Takes one input of the window into the result.
template <int V>
__device__ __forceinline__ void take(const PoolArgs& args, const float (&sum)[V], float (&result)[V]) {
#pragma unroll
  for (int v = 0; v < V; ++v) {
    const float in = activate(args.pre, sum[v]);
    // A NaN stays: it compares false with everything.
    result[v] = args.max ? (in <= result[v] ? result[v] : in) : result[v] + in;
  }
}

/// A thread does V channels of one output pixel. K: 3 for one input and a 3x3 window, whose loads are
/// then all in flight at once; 0 for the rest.
template <class T, int V, bool kChannelsLast, int K>
__global__ void pool_kernel(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride,
                            const __grid_constant__ PoolArgs args) {
  await_predecessor();
  const Window& g = args.window;
  std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= args.total) return;
  std::uint32_t c, x, y;
  if constexpr (kChannelsLast) {
    c = args.inner.split(i) * V;
    x = args.ow.split(i);
    y = args.oh.split(i);
  } else {
    x = args.ow.split(i);
    y = args.oh.split(i);
    c = args.channels.split(i);
  }
  const std::int64_t n = i;
  const int top = static_cast<int>(y) * g.sh - g.ph, left = static_cast<int>(x) * g.sw - g.pw;
  const int y0 = max(top, 0), y1 = min(top + g.kh, g.h), x0 = max(left, 0), x1 = min(left + g.kw, g.w);
  const auto place = [&](std::int64_t stride, int iy, int ix) {
    return kChannelsLast ? ((n * g.h + iy) * g.w + ix) * stride + c
                         : n * stride + (std::int64_t{c} * g.h + iy) * g.w + ix;
  };
  float result[V];
#pragma unroll
  for (int v = 0; v < V; ++v) result[v] = args.max ? -INFINITY : 0.f;
  if constexpr (K > 0) {
    const T* corner = static_cast<const T*>(sources.list[0].data) + place(sources.list[0].stride, top, left);
    const std::int64_t column = kChannelsLast ? sources.list[0].stride : 1, row = column * g.w;
    Vec<T, V> in[K][K];
#pragma unroll
    for (int r = 0; r < K; ++r) {
#pragma unroll
      for (int s = 0; s < K; ++s) {
        if (top + r >= y0 && top + r < y1 && left + s >= x0 && left + s < x1)
          in[r][s] = load<T, V>(corner + r * row + s * column);
      }
    }
#pragma unroll
    for (int r = 0; r < K; ++r) {
#pragma unroll
      for (int s = 0; s < K; ++s) {
        if (top + r < y0 || top + r >= y1 || left + s < x0 || left + s >= x1) continue;
        float value[V];
#pragma unroll
        for (int v = 0; v < V; ++v) value[v] = to_float(in[r][s].v[v]);
        take<V>(args, value, result);
      }
    }
  } else {
    for (int iy = y0; iy < y1; ++iy) {
      for (int ix = x0; ix < x1; ++ix) {
        float sum[V] = {};
        for (int s = 0; s < sources.count; ++s) {
          const auto& source = sources.list[s];
          const auto in = load<T, V>(static_cast<const T*>(source.data) + place(source.stride, iy, ix));
#pragma unroll
          for (int v = 0; v < V; ++v) sum[v] += to_float(in.v[v]);
        }
        take<V>(args, sum, result);
      }
    }
  }
  if (!args.max) {
    const float area = static_cast<float>(args.count_padding ? g.kh * g.kw : (y1 - y0) * (x1 - x0));
#pragma unroll
    for (int v = 0; v < V; ++v) result[v] /= area;
  }
  const std::int64_t at = kChannelsLast ? ((n * g.oh + y) * g.ow + x) * out_stride + c
                                        : n * out_stride + (std::int64_t{c} * g.oh + y) * g.ow + x;
  store<T, V>(out + at, result);
}

template <class T>
__device__ float summed(const Sources& sources, Activation pre, std::int64_t outer, std::int64_t inner) {
  float sum = 0.f;
  for (int s = 0; s < sources.count; ++s) {
    sum += to_float(static_cast<const T*>(sources.list[s].data)[outer * sources.list[s].stride + inner]);
  }
  return activate(pre, sum);
}

/// A warp an image's channel.
template <class T>
__global__ void global_avg_nchw(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int n, int c,
                                int plane, Activation pre) {
  await_predecessor();
  const int row = (blockIdx.x * kThreads + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= n * c) return;
  const int image = row / c, channel = row % c;
  float sum = 0.f;
  for (int i = lane; i < plane; i += 32) sum += summed<T>(sources, pre, image, std::int64_t{channel} * plane + i);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane == 0) out[image * out_stride + channel] = from_float<T>(sum / plane);
}

/// A block 32 channels of an image; its warps share the pixels.
template <class T>
__global__ void global_avg_nhwc(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int c,
                                int plane, Activation pre) {
  constexpr int kWarps = 8;
  __shared__ float partial[kWarps][33];
  await_predecessor();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int channel = blockIdx.x * 32 + lane;
  const std::int64_t image = blockIdx.y;
  float sum = 0.f;
  if (channel < c) {
#pragma unroll 4
    for (int i = warp; i < plane; i += kWarps) sum += summed<T>(sources, pre, image * plane + i, channel);
  }
  partial[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || channel >= c) return;
  for (int w = 1; w < kWarps; ++w) sum += partial[w][lane];
  out[image * out_stride + channel] = from_float<T>(sum / plane);
}

/// A block does 8 vectors of V channels of an image; 32 threads share the pixels of each. `One`: a single
/// input, whose loads are then several in flight.
template <class T, int V, bool One>
__global__ void global_avg_vectors(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int c,
                                   int plane, Activation pre) {
  constexpr int kWarps = 8, kVectors = 8, kSlices = kWarps * 32 / kVectors;
  __shared__ float partial[kWarps][kVectors * V];
  await_predecessor();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int vector = lane % kVectors, slice = warp * (32 / kVectors) + lane / kVectors;
  const int channel = (blockIdx.x * kVectors + vector) * V;
  const std::int64_t image = blockIdx.y;
  float sum[V] = {};
  if (channel < c) {
    const int count = One ? 1 : sources.count;
#pragma unroll 6
    for (int i = slice; i < plane; i += kSlices) {
      float value[V] = {};
      for (int s = 0; s < count; ++s) {
        const auto& source = sources.list[s];
        const auto in = load<T, V>(static_cast<const T*>(source.data) + (image * plane + i) * source.stride + channel);
#pragma unroll
        for (int v = 0; v < V; ++v) value[v] += to_float(in.v[v]);
      }
#pragma unroll
      for (int v = 0; v < V; ++v) sum[v] += activate(pre, value[v]);
    }
  }
#pragma unroll
  for (int v = 0; v < V; ++v) {
    for (int step = kVectors; step < 32; step *= 2) sum[v] += __shfl_xor_sync(0xffffffffu, sum[v], step);
    if (lane < kVectors) partial[warp][vector * V + v] = sum[v];
  }
  __syncthreads();
  const int mine = threadIdx.x, target = blockIdx.x * kVectors * V + mine;
  if (mine >= kVectors * V || target >= c) return;
  float total = 0.f;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) total += partial[w][mine];
  out[image * out_stride + target] = from_float<T>(total / plane);
}

template <class T, int V>
void launch_global_avg_vectors(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out,
                               std::int64_t out_stride) {
  const Window& g = call.window;
  const dim3 blocks((g.c + 8 * V - 1) / (8 * V), g.n);
  launch_overlapping(sources.count == 1 ? global_avg_vectors<T, V, true> : global_avg_vectors<T, V, false>,
                     {dim3(blocks), dim3(256)}, stream, sources, static_cast<T*>(out), out_stride, g.c, g.h * g.w,
                     call.pre);
}

template <class T>
void global_avg(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  const Window& g = call.window;
  if (call.layout == Layout::nchw) {
    const int blocks = blocks_for(std::int64_t{g.n} * g.c * 32, kThreads);
    launch_overlapping(global_avg_nchw<T>, {dim3(blocks), dim3(kThreads)}, stream, sources, static_cast<T*>(out),
                       out_stride, g.n, g.c, g.h * g.w, call.pre);
    return;
  }
  if constexpr (sizeof(T) == 2) {
    if (call.vector == 8) return launch_global_avg_vectors<T, 8>(stream, call, sources, out, out_stride);
  }
  if (call.vector == 4) return launch_global_avg_vectors<T, 4>(stream, call, sources, out, out_stride);
  if (call.vector == 2) return launch_global_avg_vectors<T, 2>(stream, call, sources, out, out_stride);
  launch_overlapping(global_avg_nhwc<T>, {dim3((g.c + 31) / 32, g.n), dim3(256)}, stream, sources, static_cast<T*>(out),
                     out_stride, g.c, g.h * g.w, call.pre);
}

template <class T, int V, bool kChannelsLast>
void launch(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  const Window& g = call.window;
  PoolArgs args;
  args.window = g;
  args.inner = FastDiv(g.c / V);
  args.ow = FastDiv(g.ow);
  args.oh = FastDiv(g.oh);
  args.channels = FastDiv(g.c);
  const std::int64_t total = std::int64_t{g.n} * (g.c / V) * g.oh * g.ow;
  args.max = call.type == PoolType::max;
  args.count_padding = call.count_padding;
  args.pre = call.pre;
  const int blocks = blocks_for(total, kThreads);
  args.total = static_cast<std::uint32_t>(total);
  const bool common = g.kh == 3 && g.kw == 3 && sources.count == 1;
  const auto kernel = common ? pool_kernel<T, V, kChannelsLast, 3> : pool_kernel<T, V, kChannelsLast, 0>;
  launch_overlapping(kernel, {dim3(blocks), dim3(kThreads)}, stream, sources, static_cast<T*>(out), out_stride, args);
}

}  // namespace

void pool(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  if (call.type == PoolType::global_avg) {
    (call.half ? global_avg<__half> : global_avg<float>)(stream, call, sources, out, out_stride);
  } else if (call.layout == Layout::nchw) {
    (call.half ? launch<__half, 1, false> : launch<float, 1, false>)(stream, call, sources, out, out_stride);
  } else if (call.half) {
    (call.vector == 8   ? launch<__half, 8, true>
     : call.vector == 4 ? launch<__half, 4, true>
     : call.vector == 2 ? launch<__half, 2, true>
                        : launch<__half, 1, true>)(stream, call, sources, out, out_stride);
  } else {
    (call.vector == 4   ? launch<float, 4, true>
     : call.vector == 2 ? launch<float, 2, true>
                        : launch<float, 1, true>)(stream, call, sources, out, out_stride);
  }
}

}  // namespace opsched::native
