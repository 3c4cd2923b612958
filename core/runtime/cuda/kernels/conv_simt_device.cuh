// The kernel of conv_simt.cu.
#pragma once

#include <cooperative_groups.h>
#include <cuda_pipeline_primitives.h>

#include <algorithm>
#include <climits>

#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::simt {

constexpr int kDepth = 16;      // summands per tile step: input channels of one tap or, if flat, of several taps
constexpr int kStages = 3;      // tile steps in flight
constexpr int kRowPad = 64;     // of weights
constexpr int kMostRows = 128;  // rows per tile at most; weights have as many extra rows, read but not used

/// How the kernel reads its input. With few channels, the sum runs over taps and channels together (flat), because a
/// step per tap would mostly be padding. Affine: the factors and biases of a step's channels follow its tiles.
/// Grouped: plain, and the rows of blocks are those of all groups.
enum class Input { plain, pre_relu, flat, affine, grouped };

/// A summand's offset from the corner of a pixel's window.
struct Summand {
  int offset;
  short r, s;
};

struct Params {
  ConvGeometry g;
  int rows_padded, depth_tiles, steps;  // steps: taps * depth_tiles
  int row_end;                          // dilated extent of a row of taps
  const float* input;
  float* output;
  const float* weights;
  const float* bias;
  const float* residual;
};

/// Factor and bias of an affine layer for each (padded) input channel.
__device__ __forceinline__ const float* affine_of(const Params& params) {
  return params.bias + params.rows_padded + kMostRows;
}

/// The tiles of the steps in flight; later, every team's partial result in the same memory.
__host__ __device__ constexpr int shared_floats(int rows, int columns, int slices, bool affine = false) {
  const int steps = kStages * kDepth * (rows + columns + (affine ? 2 : 0)), result = rows * columns;
  return slices * (steps > result ? steps : result);
}

/// Computes a tile of BM channels x BN pixels, TM x TN per thread. `Slices` teams of threads alternate steps, each with
/// its own partial tile: more warps hide more latency.
template <int BM, int BN, int TM, int TN, int Slices, Input In, bool Residual = false>
__global__ void __launch_bounds__(Slices*(BM / TM) * (BN / TN)) conv_simt_kernel(const Params params) {
  constexpr int kTeam = (BM / TM) * (BN / TN), kThreads = Slices * kTeam;
  static_assert(kTeam >= BN && kTeam % BN == 0 && kTeam % 32 == 0 && TN % 4 == 0 && TM % 4 == 0 && BM <= kMostRows);
  constexpr int kStepFloats = kDepth * (BM + BN + (In == Input::affine ? 2 : 0));
  extern __shared__ __align__(16) float memory[];

  const ConvGeometry& g = params.g;
  const int slice = threadIdx.x / kTeam, tid = threadIdx.x % kTeam;
  const int pixels = g.batch * g.p * g.q;
  const int first_pixel = blockIdx.x * BN;
  int group = 0, first_row = blockIdx.y * BM, packed_row = first_row;  // packed: of the weights of all groups
  if constexpr (In == Input::grouped) {
    const int tiles = (g.k + BM - 1) / BM;
    group = blockIdx.y / tiles;
    first_row -= group * tiles * BM;
    packed_row = group * (params.rows_padded / g.groups) + first_row;
  }
  const int split = blockIdx.z, splits = gridDim.z;

  // The pixel whose inputs this thread fetches.
  const int column = tid % BN, first_depth = tid / BN;
  const int pixel = first_pixel + column;
  const int image = pixel / (g.p * g.q), at = pixel % (g.p * g.q);
  const int top = pixel < pixels ? (at / g.q) * g.stride_h - g.pad_h : -(1 << 29);
  const int left = (at % g.q) * g.stride_w - g.pad_w;
  const float* corner = params.input + image * g.in_stride_n + static_cast<std::int64_t>(top) * g.w + left;
  if constexpr (In == Input::grouped) corner += static_cast<std::int64_t>(group) * g.c * g.in_stride;

  // This team's steps: begin, begin + Slices, ...
  const int first_step = static_cast<int>(static_cast<std::int64_t>(params.steps) * split / splits);
  const int end = static_cast<int>(static_cast<std::int64_t>(params.steps) * (split + 1) / splits);
  const int turns = (end - first_step + Slices - 1) / Slices, begin = first_step + slice;

  Summand* const summands = reinterpret_cast<Summand*>(memory + shared_floats(BM, BN, Slices));
  if constexpr (In == Input::flat) {
    for (int i = threadIdx.x; i < params.steps * kDepth; i += kThreads) {
      const int tap = i / g.c, row = tap / g.s;
      const int r = row * g.dilation_h, s = (tap - row * g.s) * g.dilation_w;
      const bool real = row < g.r;
      summands[i] = {real ? static_cast<int>(r * g.w + s + (i - tap * g.c) * g.in_stride) : 0,
                     static_cast<short>(real ? r : SHRT_MAX), static_cast<short>(s)};
    }
    __syncthreads();
  }

  const auto fetch_weights = [&](int turn) {
    const int step = begin + turn * Slices;
    if (step >= end) return;
    float* a = memory + (turn % kStages * Slices + slice) * kStepFloats;
    const float* weights = params.weights + static_cast<std::int64_t>(step) * kDepth * params.rows_padded + packed_row;
#pragma unroll
    for (int i = tid * 4; i < kDepth * BM; i += kTeam * 4)
      __pipeline_memcpy_async(a + i, weights + (i / BM) * params.rows_padded + i % BM, 16);
    if constexpr (In == Input::affine)  // 1x1 convolution: the step is also the index of its part of the channels
      for (int i = tid * 4; i < kDepth * 2; i += kTeam * 4)
        __pipeline_memcpy_async(a + kDepth * (BM + BN) + i, affine_of(params) + step * kDepth * 2 + i, 16);
  };
  // Where the next fetch reads: the tap, as an offset from the window's corner, and this thread's channel.
  int depth = 0, r = 0, s = 0;
  if constexpr (In != Input::flat) {
    const int tap = begin / params.depth_tiles;
    depth = (begin - tap * params.depth_tiles) * kDepth + first_depth;
    r = tap / g.s, s = (tap - r * g.s) * g.dilation_w;
    r *= g.dilation_h;
  }
  /// A ReLU before the convolution, once per input: each thread applies it to what it has copied itself.
  const auto relu_input = [&](int turn) {
    float* own = memory + (turn % kStages * Slices + slice) * kStepFloats + kDepth * BM + first_depth * BN + column;
#pragma unroll
    for (int i = 0; i < kDepth; i += kTeam / BN) own[i * BN] = native::larger(own[i * BN], 0.f);
  };
  const auto fetch_input = [&](int turn) {
    const int step = begin + turn * Slices;
    if (step >= end) return;
    float* b = memory + (turn % kStages * Slices + slice) * kStepFloats + kDepth * BM;
    if constexpr (In == Input::flat) {
#pragma unroll
      for (int i = 0; i < kDepth; i += kTeam / BN) {
        const Summand at = summands[step * kDepth + first_depth + i];
        const bool valid = static_cast<unsigned>(top + at.r) < static_cast<unsigned>(g.h) &&
                           static_cast<unsigned>(left + at.s) < static_cast<unsigned>(g.w);
        __pipeline_memcpy_async(b + (first_depth + i) * BN + column, corner + at.offset, 4, valid ? 0 : 4);
      }
      return;
    }
    const bool valid = static_cast<unsigned>(top + r) < static_cast<unsigned>(g.h) &&
                       static_cast<unsigned>(left + s) < static_cast<unsigned>(g.w);
    const int real = valid ? g.c - depth : 0;  // channels left, from this thread's first one
    const float* source = corner + r * g.w + s + depth * g.in_stride;
#pragma unroll
    for (int i = 0; i < kDepth; i += kTeam / BN) {
      __pipeline_memcpy_async(b + (first_depth + i) * BN + column, source, 4, i < real ? 0 : 4);
      source += kTeam / BN * g.in_stride;
    }
    depth += Slices * kDepth;
    while (depth - first_depth >= params.depth_tiles * kDepth) {
      depth -= params.depth_tiles * kDepth;
      if ((s += g.dilation_w) == params.row_end) s = 0, r += g.dilation_h;
    }
  };

  // A warp is 8 threads wide and 4 high: this shape reads the fewest distinct words from both sides of the tile.
  constexpr int kAcross = BN / TN / 8;
  static_assert(kAcross * 8 * TN == BN && BM / TM % 4 == 0);
  const int lane = tid % 32, warp = tid / 32;
  const int tx = warp % kAcross * 8 + lane % 8, ty = warp / kAcross * 4 + lane / 8;
  float sum[TM][TN] = {};
  [[maybe_unused]] const float least = g.pre_relu ? 0.f : -INFINITY;  // lower bound of the affine layer's result
  // Weights may be fetched before the predecessor has ended: those of all steps into the cache, those of the first
  // steps into shared memory.
  if (blockIdx.x == 0)
    native::prefetch(params.weights + static_cast<std::int64_t>(first_step) * kDepth * params.rows_padded + packed_row,
                     (end - first_step) * kDepth, params.rows_padded * std::int64_t{sizeof(float)}, BM * sizeof(float));
  for (int i = 0; i < kStages - 1; ++i) fetch_weights(i);
  native::await_predecessor();
  for (int i = 0; i < kStages - 1; ++i) {
    fetch_input(i);
    __pipeline_commit();
  }
  for (int turn = 0; turn < turns; ++turn) {
    __pipeline_wait_prior(kStages - 2);
    if constexpr (In == Input::pre_relu) relu_input(turn);
    __syncthreads();
    fetch_weights(turn + kStages - 1);
    fetch_input(turn + kStages - 1);
    __pipeline_commit();
    if (begin + turn * Slices >= end) continue;
    const float* a = memory + (turn % kStages * Slices + slice) * kStepFloats;
    const float* b = a + kDepth * BM;
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      float weight[TM];
#pragma unroll
      for (int i = 0; i < TM / 4; ++i) {
        const float4 v = *reinterpret_cast<const float4*>(a + k * BM + i * (BM / (TM / 4)) + ty * 4);
        weight[4 * i] = v.x, weight[4 * i + 1] = v.y, weight[4 * i + 2] = v.z, weight[4 * i + 3] = v.w;
      }
      float x[TN];
#pragma unroll
      for (int j = 0; j < TN / 4; ++j) {
        const float4 v = *reinterpret_cast<const float4*>(b + k * BN + j * (BN / (TN / 4)) + tx * 4);
        x[4 * j] = v.x, x[4 * j + 1] = v.y, x[4 * j + 2] = v.z, x[4 * j + 3] = v.w;
      }
      if constexpr (In == Input::affine) {
        const float2 affine = *reinterpret_cast<const float2*>(b + kDepth * BN + 2 * k);
#pragma unroll
        for (float& each : x) each = native::larger(fmaf(affine.x, each, affine.y), least);
      }
      native::to_and_fro<TM, TN>([&](int i, int j) { sum[i][j] = fmaf(weight[i], x[j], sum[i][j]); });
    }
  }

  native::release_successor();
  // Every team of every block of the cluster stores its partial tile in shared memory; each block adds up its part of
  // all of them.
  __pipeline_wait_prior(0);
  __syncthreads();
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = (i / 4) * (BM / (TM / 4)) + ty * 4 + i % 4;
    // Added here, not to the finished sum: if sums were stored as they are, four would need adjacent registers, and
    // multiply-adds would more often read their operands from one bank.
    const float bias = slice == 0 && split == 0 ? params.bias[packed_row + row] : 0.f;
    native::for_all(sum[i], [=](float v) { return v + bias; });
#pragma unroll
    for (int j = 0; j < TN / 4; ++j)
      *reinterpret_cast<float4*>(memory + (slice * BM + row) * BN + j * (BN / (TN / 4)) + tx * 4) =
          make_float4(sum[i][4 * j], sum[i][4 * j + 1], sum[i][4 * j + 2], sum[i][4 * j + 3]);
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
  // The number of threads is a multiple of the columns, so each thread stays in its column.
  const int out_pixel = first_pixel + static_cast<int>(threadIdx.x) % BN, n = out_pixel / (g.p * g.q);
  const int out_at = out_pixel - n * g.p * g.q;
  float* out = params.output + n * g.out_stride_n + out_at;
  if constexpr (In == Input::grouped) out += static_cast<std::int64_t>(group) * g.k * g.out_stride;
  const auto residual_at = [&](int i) {
    const int row = first_row + i / BN;
    const std::int64_t at_row = n * g.residual_stride_n + row * g.residual_stride + out_at;
    return row < g.k ? native::load_constant(params.residual + at_row) : 0.f;
  };
  const auto finish = [&](int i, int parts, float more) {
    const int row = first_row + i / BN;
    if (row >= g.k) return;
    float value = 0;
    for (int other = 0; other < parts; ++other) {
      const float* partial = memory;
#if __CUDA_ARCH__ >= 900
      if (parts > 1) partial = cluster.map_shared_rank(memory, other);
#endif
#pragma unroll
      for (int team = 0; team < Slices; ++team) value += partial[team * BM * BN + i];
    }
    value = native::activate_light(g.act, value);
    if constexpr (Residual) {
      value += more;
      if (g.post_relu) value = native::larger(value, 0.f);
    }
    out[row * g.out_stride] = value;
  };
  if (out_pixel < pixels) {
    if (splits == 1) {
      if constexpr (Residual) {
        // The loads of a batch are on their way together; a load behind a branch waits for the one before it.
        constexpr int kBatch = std::min(8, BM * BN / kThreads);
        static_assert(BM * BN % (kBatch * kThreads) == 0);
        for (int first = threadIdx.x; first < BM * BN; first += kBatch * kThreads) {
          float more[kBatch];
#pragma unroll
          for (int j = 0; j < kBatch; ++j) more[j] = residual_at(first + j * kThreads);
#pragma unroll
          for (int j = 0; j < kBatch; ++j) finish(first + j * kThreads, 1, more[j]);
        }
      } else {
#pragma unroll 8
        for (int i = threadIdx.x; i < BM * BN; i += kThreads) finish(i, 1, 0.f);
      }
    } else {
      for (int i = split * kThreads + threadIdx.x; i < BM * BN; i += splits * kThreads)
        finish(i, splits, Residual ? residual_at(i) : 0.f);
    }
  }
#if __CUDA_ARCH__ >= 900
  if (splits > 1) {  // shared memory must outlive its readers; nothing written before is read after
    asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
  }
#endif
}

}  // namespace opsched::simt
