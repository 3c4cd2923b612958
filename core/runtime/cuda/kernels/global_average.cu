// Averages over all pixels of an image. Few channels of a large image are shared by several warps (NCHW) or by the
// blocks of a cluster (NHWC), because one warp or block alone cannot have enough loads in flight.
#include <cooperative_groups.h>

#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128;
constexpr int kPixels = 256;       // NCHW: of a warp at most, if there are warps to spare
constexpr int kMostWarps = 32;     // NCHW: for one channel
constexpr int kFew = 1 << 15;      // NCHW: fewer threads than this leave most of a large GPU idle
constexpr int kFewBlocks = 16;     // NHWC: likewise
constexpr int kBlockPixels = 512;  // NHWC: of a block at most, if there are blocks to spare
constexpr int kMostBlocks = 8;     // NHWC: in a cluster

template <class T, Known kPre>
__device__ float summed(const Sources& sources, std::int64_t outer, std::int64_t inner) {
  float sum = 0.f;
  for (int s = 0; s < sources.count; ++s) {
    sum += to_float(static_cast<const T*>(sources.list[s].data)[outer * sources.list[s].stride + inner]);
  }
  return activate<kPre>(sum);
}

/// One warp per channel of an image.
template <class T, Known kPre>
__global__ void warp_nchw(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int n, int c,
                          int plane, std::int64_t in_plane, std::int64_t out_plane, float divisor) {
  await_predecessor();
  const int row = (blockIdx.x * kThreads + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= n * c) return;
  const int image = row / c, channel = row % c;
  float sum = 0.f;
  for (int i = lane; i < plane; i += 32) sum += summed<T, kPre>(sources, image, channel * in_plane + i);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane == 0) out[image * out_stride + channel * out_plane] = from_float<T>(sum / divisor);
}

/// One block per channel of an image, with several loads of one input in flight.
template <class T, Known kPre>
__global__ void block_nchw(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int c, int plane,
                           std::int64_t in_plane, std::int64_t out_plane, float divisor) {
  __shared__ float partial[kMostWarps];
  await_predecessor();
  const int image = blockIdx.x / c, channel = blockIdx.x % c;
  const int threads = blockDim.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float sum = 0.f;
  if (sources.count == 1) {
    const T* const in =
        static_cast<const T*>(sources.list[0].data) + image * sources.list[0].stride + channel * in_plane;
#pragma unroll 8
    for (int i = threadIdx.x; i < plane; i += threads) sum += activate<kPre>(to_float(in[i]));
  } else {
    for (int i = threadIdx.x; i < plane; i += threads) sum += summed<T, kPre>(sources, image, channel * in_plane + i);
  }
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane == 0) partial[warp] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int w = 1; w < threads / 32; ++w) sum += partial[w];
  out[image * out_stride + channel * out_plane] = from_float<T>(sum / divisor);
}

/// One block per 32 channels of an image; its warps share the pixels.
template <class T, Known kPre>
__global__ void channels_nhwc(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int c,
                              int plane, float divisor) {
  constexpr int kWarps = 8;
  __shared__ float partial[kWarps][33];
  await_predecessor();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int channel = blockIdx.x * 32 + lane;
  const std::int64_t image = blockIdx.y;
  float sum = 0.f;
  if (channel < c) {
#pragma unroll 4
    for (int i = warp; i < plane; i += kWarps) sum += summed<T, kPre>(sources, image * plane + i, channel);
  }
  partial[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || channel >= c) return;
  for (int w = 1; w < kWarps; ++w) sum += partial[w][lane];
  out[image * out_stride + channel] = from_float<T>(sum / divisor);
}

/// A block computes 8 vectors of V channels of one image; 32 threads share the pixels of each. `One`: a single input,
/// with several loads in flight. `Shared`: the blocks of a cluster share the pixels.
template <class T, int V, bool One, bool Shared, Known kPre>
__global__ void vectors_nhwc(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride, int c, int plane,
                             float divisor) {
  constexpr int kWarps = 8, kVectors = 8, kSlices = kWarps * 32 / kVectors;
  __shared__ float partial[kWarps][kVectors * V];
  await_predecessor();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int vector = lane % kVectors, slice = warp * (32 / kVectors) + lane / kVectors;
  const int first = Shared ? static_cast<int>(std::int64_t{plane} * blockIdx.z / gridDim.z) : 0;
  const int end = Shared ? static_cast<int>(std::int64_t{plane} * (blockIdx.z + 1) / gridDim.z) : plane;
  const int channel = (blockIdx.x * kVectors + vector) * V;
  const std::int64_t image = blockIdx.y;
  float sum[V] = {};
  if (channel < c) {
    const int count = One ? 1 : sources.count;
#pragma unroll 6
    for (int i = first + slice; i < end; i += kSlices) {
      float value[V] = {};
      for (int s = 0; s < count; ++s) {
        const auto& source = sources.list[s];
        const auto in = load<T, V>(static_cast<const T*>(source.data) + (image * plane + i) * source.stride + channel);
#pragma unroll
        for (int v = 0; v < V; ++v) value[v] += to_float(in.v[v]);
      }
#pragma unroll
      for (int v = 0; v < V; ++v) sum[v] += activate<kPre>(value[v]);
    }
  }
#pragma unroll
  for (int v = 0; v < V; ++v) {
    for (int step = kVectors; step < 32; step *= 2) sum[v] += __shfl_xor_sync(0xffffffffu, sum[v], step);
    if (lane < kVectors) partial[warp][vector * V + v] = sum[v];
  }
  __syncthreads();
  const int mine = threadIdx.x, target = blockIdx.x * kVectors * V + mine;
  const bool sums = mine < kVectors * V && target < c;
  float total = 0.f;
  if (sums)
#pragma unroll
    for (int w = 0; w < kWarps; ++w) total += partial[w][mine];
#if __CUDA_ARCH__ >= 900
  if constexpr (Shared) {
    __shared__ float of_block[kVectors * V];
    if (sums) of_block[mine] = total;
    const cooperative_groups::cluster_group cluster = cooperative_groups::this_cluster();
    cluster.sync();
    if (blockIdx.z == 0 && sums)
      for (unsigned other = 1; other < gridDim.z; ++other) total += *cluster.map_shared_rank(of_block + mine, other);
    cluster.sync();  // shared memory must outlive its readers
    if (blockIdx.z > 0) return;
  }
#endif
  if (sums) out[image * out_stride + target] = from_float<T>(total / divisor);
}

template <class T, int V, Known kPre>
void launch_vectors(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out,
                    std::int64_t out_stride) {
  const Window& g = call.window;
  const int parts = (g.c + 8 * V - 1) / (8 * V), plane = g.h * g.w;
  const bool one = sources.count == 1;
  int shared = 1;
  while (one && has_clusters() && shared < kMostBlocks && plane > kBlockPixels * shared &&
         parts * g.n * shared < kFewBlocks)
    shared *= 2;
  const auto kernel = !one          ? vectors_nhwc<T, V, false, false, kPre>
                      : shared == 1 ? vectors_nhwc<T, V, true, false, kPre>
                                    : vectors_nhwc<T, V, true, true, kPre>;
  launch_overlapping(kernel, {dim3(parts, g.n, shared), dim3(256), 0, shared}, stream, sources, static_cast<T*>(out),
                     out_stride, g.c, plane, call.divisor);
}

template <class T, Known kPre>
void launch_nchw(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out,
                 std::int64_t out_stride) {
  const Window& g = call.window;
  const int plane = g.h * g.w;
  const std::int64_t channels = std::int64_t{g.n} * g.c;
  int warps = 1;
  while (warps < kMostWarps && plane > kPixels * warps && channels * warps * 32 < kFew) warps *= 2;
  if (warps == 1)
    return launch_overlapping(warp_nchw<T, kPre>, {dim3(blocks_for(channels * 32, kThreads)), dim3(kThreads)}, stream,
                              sources, static_cast<T*>(out), out_stride, g.n, g.c, plane, g.in_plane, g.out_plane,
                              call.divisor);
  launch_overlapping(block_nchw<T, kPre>, {dim3(static_cast<unsigned>(channels)), dim3(32 * warps)}, stream, sources,
                     static_cast<T*>(out), out_stride, g.c, plane, g.in_plane, g.out_plane, call.divisor);
}

template <class T, Known kPre>
void launch_as(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  if (call.layout == TensorFormat::nchw) return launch_nchw<T, kPre>(stream, call, sources, out, out_stride);
  if constexpr (sizeof(T) == 2) {
    if (call.vector == 8) return launch_vectors<T, 8, kPre>(stream, call, sources, out, out_stride);
  }
  if (call.vector == 4) return launch_vectors<T, 4, kPre>(stream, call, sources, out, out_stride);
  if (call.vector == 2) return launch_vectors<T, 2, kPre>(stream, call, sources, out, out_stride);
  const Window& g = call.window;
  launch_overlapping(channels_nhwc<T, kPre>, {dim3((g.c + 31) / 32, g.n), dim3(256)}, stream, sources,
                     static_cast<T*>(out), out_stride, g.c, g.h * g.w, call.divisor);
}

}  // namespace

void global_average(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out,
                    std::int64_t out_stride) {
  with_known_pre(call.pre, [&](auto pre) {
    (call.half ? launch_as<__half, pre.value> : launch_as<float, pre.value>)(stream, call, sources, out, out_stride);
  });
}

}  // namespace opsched::native
