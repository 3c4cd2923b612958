// Implicit matrix product with small tiles, and the sum over input channels split over the blocks of
// a cluster: at batch 1 a convolution has too few output tiles to fill a large GPU by itself.
#include <cooperative_groups.h>
#include <cuda_pipeline_primitives.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/runtime/cuda/conv_simt.hpp"

namespace opsched {
namespace {

constexpr int kDepth = 16;   // input channels of one tap that a tile step takes
constexpr int kStages = 3;   // tile steps in flight
constexpr int kRowPad = 64;  // every tile height divides it

struct Params {
  ConvGeometry g;
  int rows_padded, depth_tiles, steps;  // steps: taps * depth_tiles
  const float* input;
  float* output;
  const float* weights;
  const float* bias;
};

__device__ float activate(float x, int act) { return act == 1 ? fmaxf(x, 0.f) : act == 2 ? tanhf(x) : x; }

/// Tile of BM channels x BN pixels, a thread computes TM x TN of them.
template <int BM, int BN, int TM, int TN>
__global__ void __launch_bounds__((BM / TM) * (BN / TN)) conv_simt_kernel(const Params params) {
  constexpr int kThreads = (BM / TM) * (BN / TN);
  static_assert(kThreads >= BN && kThreads % BN == 0 && TN == 4 && TM % 4 == 0);
  constexpr int kStageFloats = kDepth * (BM + BN);
  constexpr int kFloats = kStages * kStageFloats > BM * BN ? kStages * kStageFloats : BM * BN;
  __shared__ __align__(16) float memory[kFloats];

  const ConvGeometry& g = params.g;
  const int tid = threadIdx.x;
  const int pixels = g.batch * g.p * g.q;
  const int first_pixel = blockIdx.x * BN, first_row = blockIdx.y * BM;
  const int split = blockIdx.z, splits = gridDim.z;

  // The pixel whose inputs this thread fetches.
  const int column = tid % BN, first_depth = tid / BN;
  const int pixel = first_pixel + column;
  const bool inside = pixel < pixels;
  const int image = pixel / (g.p * g.q), at = pixel % (g.p * g.q);
  const int top = (at / g.q) * g.stride_h - g.pad_h, left = (at % g.q) * g.stride_w - g.pad_w;
  const float* corner = params.input + image * g.in_stride_n + static_cast<std::int64_t>(top) * g.w + left;

  const int begin = static_cast<int>(static_cast<std::int64_t>(params.steps) * split / splits);
  const int end = static_cast<int>(static_cast<std::int64_t>(params.steps) * (split + 1) / splits);

  const auto fetch = [&](int step) {
    float* a = memory + (step - begin) % kStages * kStageFloats;
    float* b = a + kDepth * BM;
    const float* weights = params.weights + static_cast<std::int64_t>(step) * kDepth * params.rows_padded + first_row;
    for (int i = tid * 4; i < kDepth * BM; i += kThreads * 4)
      __pipeline_memcpy_async(a + i, weights + (i / BM) * params.rows_padded + i % BM, 16);
    const int tap = step / params.depth_tiles, depth = (step - tap * params.depth_tiles) * kDepth;
    const int r = tap / g.s, s = tap - r * g.s;
    const bool valid = inside && static_cast<unsigned>(top + r) < static_cast<unsigned>(g.h) &&
                       static_cast<unsigned>(left + s) < static_cast<unsigned>(g.w);
    const float* source = corner + r * g.w + s;
#pragma unroll
    for (int i = first_depth; i < kDepth; i += kThreads / BN) {
      const bool real = valid && depth + i < g.c;
      __pipeline_memcpy_async(b + i * BN + column, real ? source + (depth + i) * g.in_stride : params.input, 4,
                              real ? 0 : 4);
    }
  };

  const int tx = tid % (BN / TN), ty = tid / (BN / TN);
  float sum[TM][TN] = {};
  for (int i = 0; i < kStages - 1; ++i) {
    if (begin + i < end) fetch(begin + i);
    __pipeline_commit();
  }
  for (int step = begin; step < end; ++step) {
    __pipeline_wait_prior(kStages - 2);
    __syncthreads();
    if (step + kStages - 1 < end) fetch(step + kStages - 1);
    __pipeline_commit();
    const float* a = memory + (step - begin) % kStages * kStageFloats;
    const float* b = a + kDepth * BM;
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      float left_side[TM];
#pragma unroll
      for (int i = 0; i < TM / 4; ++i) {
        const float4 v = *reinterpret_cast<const float4*>(a + k * BM + i * (BM / (TM / 4)) + ty * 4);
        left_side[4 * i] = v.x, left_side[4 * i + 1] = v.y, left_side[4 * i + 2] = v.z, left_side[4 * i + 3] = v.w;
      }
      float4 v = *reinterpret_cast<const float4*>(b + k * BN + tx * TN);
      if (g.pre_relu) v = make_float4(fmaxf(v.x, 0.f), fmaxf(v.y, 0.f), fmaxf(v.z, 0.f), fmaxf(v.w, 0.f));
#pragma unroll
      for (int i = 0; i < TM; ++i) {
        sum[i][0] += left_side[i] * v.x;
        sum[i][1] += left_side[i] * v.y;
        sum[i][2] += left_side[i] * v.z;
        sum[i][3] += left_side[i] * v.w;
      }
    }
  }

  // Every block of the cluster leaves its partial tile in shared memory and adds up its part of all.
  __pipeline_wait_prior(0);
  __syncthreads();
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = (i / 4) * (BM / (TM / 4)) + ty * 4 + i % 4;
    *reinterpret_cast<float4*>(memory + row * BN + tx * TN) = make_float4(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);
  }
#if __CUDA_ARCH__ >= 900
  namespace cg = cooperative_groups;
  const cg::cluster_group cluster = cg::this_cluster();
  if (splits > 1)
    cluster.sync();
  else
    __syncthreads();
#else
  __syncthreads();
#endif
  for (int i = split * kThreads + tid; i < BM * BN; i += splits * kThreads) {
    float value;
#if __CUDA_ARCH__ >= 900
    if (splits > 1) {
      value = 0;
      for (int other = 0; other < splits; ++other) value += cluster.map_shared_rank(memory, other)[i];
    } else {
      value = memory[i];
    }
#else
    value = memory[i];
#endif
    const int row = first_row + i / BN, out_pixel = first_pixel + i % BN;
    if (row < g.k && out_pixel < pixels) {
      const int n = out_pixel / (g.p * g.q);
      params.output[n * g.out_stride_n + row * g.out_stride + out_pixel - n * g.p * g.q] =
          activate(value + params.bias[row], g.act);
    }
  }
#if __CUDA_ARCH__ >= 900
  if (splits > 1) cluster.sync();  // shared memory must outlive its readers
#endif
}

using KernelFunction = void (*)(Params);

struct Variant {
  ConvTile tile;
  int threads;
  KernelFunction function;
};

template <int BM, int BN, int TM, int TN>
Variant variant() {
  return {{BM, BN, 1}, (BM / TM) * (BN / TN), conv_simt_kernel<BM, BN, TM, TN>};
}

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {variant<16, 64, 4, 4>(), variant<32, 32, 4, 4>(), variant<32, 64, 4, 4>(),
                                           variant<64, 32, 8, 4>(), variant<64, 64, 8, 4>(), variant<64, 128, 8, 4>()};
  return all;
}

int round_up(int value, int step) { return (value + step - 1) / step * step; }

int steps_of(const ConvGeometry& g) { return g.r * g.s * (round_up(g.c, kDepth) / kDepth); }

}  // namespace

std::vector<ConvTile> conv_simt_tiles() {
  std::vector<ConvTile> tiles;
  for (const Variant& v : variants()) tiles.push_back(v.tile);
  return tiles;
}

std::vector<int> conv_simt_splits(const ConvGeometry& g, const ConvTile& tile, int multiprocessors, bool clusters) {
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q;
  const std::int64_t blocks = (pixels + tile.columns - 1) / tile.columns * ((g.k + tile.rows - 1) / tile.rows);
  std::vector<int> splits{1};
  // More blocks than a few waves, or less than four steps a block, cannot pay.
  for (int s = 2; clusters && s <= 8 && blocks * s <= 6 * multiprocessors && steps_of(g) >= 4 * s; s += s < 4 ? 1 : 2)
    splits.push_back(s);
  return splits;
}

std::size_t conv_simt_weight_bytes(const ConvGeometry& g) {
  return sizeof(float) * (std::size_t(steps_of(g)) * kDepth + 1) * round_up(g.k, kRowPad);
}

void conv_simt_pack(const ConvGeometry& g, const float* weight, const float* bias, std::byte* packed) {
  const std::size_t rows = round_up(g.k, kRowPad), depth = round_up(g.c, kDepth);
  std::vector<float> all(conv_simt_weight_bytes(g) / sizeof(float), 0.f);
  const int taps = g.r * g.s;
  for (int k = 0; k < g.k; ++k)
    for (int c = 0; c < g.c; ++c)
      for (int t = 0; t < taps; ++t) all[(t * depth + c) * rows + k] = weight[(std::size_t(k) * g.c + c) * taps + t];
  std::copy(bias, bias + g.k, all.end() - static_cast<std::ptrdiff_t>(rows));
  std::memcpy(packed, all.data(), all.size() * sizeof(float));
}

void conv_simt_launch(const ConvGeometry& g, const ConvTile& tile, const float* input, float* output,
                      const void* packed, cudaStream_t stream) {
  const auto chosen = std::ranges::find_if(
      variants(), [&](const Variant& v) { return v.tile.rows == tile.rows && v.tile.columns == tile.columns; });
  if (chosen == variants().end()) throw Error("conv_simt: no such tile");
  Params params{.g = g,
                .rows_padded = round_up(g.k, kRowPad),
                .depth_tiles = round_up(g.c, kDepth) / kDepth,
                .steps = steps_of(g),
                .input = input,
                .output = output,
                .weights = static_cast<const float*>(packed),
                .bias = nullptr};
  params.bias = params.weights + std::size_t(params.steps) * kDepth * params.rows_padded;
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>((pixels + tile.columns - 1) / tile.columns),
                        (g.k + tile.rows - 1) / tile.rows, tile.splits);
  config.blockDim = dim3(chosen->threads);
  config.stream = stream;
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = 1;
  cluster.val.clusterDim.y = 1;
  cluster.val.clusterDim.z = tile.splits;
  config.attrs = &cluster;
  config.numAttrs = tile.splits > 1 ? 1 : 0;
  const cudaError_t status = cudaLaunchKernelEx(&config, chosen->function, params);
  if (status != cudaSuccess) throw Error(std::string("conv_simt: ") + cudaGetErrorString(status));
}

}  // namespace opsched
