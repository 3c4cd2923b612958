// The kernel behind separable.hpp. Included once for every element type.
//
// A block takes its slice of the input channels in chunks. For each it sums and activates the input
// window of its tile into shared memory, does the depthwise convolution from there into the left side
// of a matrix product, and multiplies it with weights that have been on their way since before the
// predecessor ended.
#pragma once

#include <cuda_pipeline_primitives.h>

#include "core/runtime/cuda/device_math.cuh"
#include "core/runtime/cuda/launch.cuh"
#include "core/runtime/cuda/mma_tile.cuh"
#include "core/runtime/cuda/separable_args.hpp"

namespace opsched::native {

namespace {

static_assert(kPackBytes == mma::kRowBytes);

/// Counts (row, column, pack) up by a fixed step.
struct Odometer {
  int packs, columns;
  int pack, column, row;
  int step_pack, step_column, step_row;
  __device__ Odometer(int start, int step, int packs, int columns)
      : packs(packs),
        columns(columns),
        pack(start % packs),
        column(start / packs % columns),
        row(start / packs / columns),
        step_pack(step % packs),
        step_column(step / packs % columns),
        step_row(step / packs / columns) {}
  __device__ void advance() {
    pack += step_pack, column += step_column, row += step_row;
    if (pack >= packs) pack -= packs, ++column;
    if (column >= columns) column -= columns, ++row;
  }
};

/// pre(sum of inputs) of the tile's window, zeros outside the image: [row][column][packs * channels].
/// (y, x): the window's corner in the image. `V` channels are read at once.
template <class T, int V>
__device__ __forceinline__ void load_window(const SeparableArgs& args, T* to, int first_pack, int packs, int image,
                                            int y, int x) {
  constexpr int kDepth = kPackBytes / sizeof(T), kLanes = kDepth / V, kBatch = 4;
  const SeparablePlan& plan = args.plan;
  const Window& g = args.window;
  const int lane = threadIdx.x % kLanes * V;
  Odometer at(threadIdx.x / kLanes, blockDim.x / kLanes, packs, plan.window_w);
  while (at.row < plan.window_h) {
    int pixel[kBatch], channel[kBatch], target[kBatch];  // pixel, target < 0: nothing to read, to write
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const int iy = y + at.row, ix = x + at.column;
      channel[b] = (first_pack + at.pack) * kDepth + lane;
      const bool inside = static_cast<unsigned>(iy) < static_cast<unsigned>(g.h) &&
                          static_cast<unsigned>(ix) < static_cast<unsigned>(g.w) && channel[b] < g.c;
      const bool present = at.row < plan.window_h;
      pixel[b] = present && inside ? (image * g.h + iy) * g.w + ix : -1;
      target[b] = present ? ((at.row * plan.window_w + at.column) * packs + at.pack) * kDepth + lane : -1;
      at.advance();
    }
    float sum[kBatch][V] = {};
#pragma unroll 2
    for (int s = 0; s < args.sources.count; ++s) {
      const T* data = static_cast<const T*>(args.sources.list[s].data);
      const std::int64_t stride = args.sources.list[s].stride;
      Vec<T, V> raw[kBatch];
#pragma unroll
      for (int b = 0; b < kBatch; ++b) {
        raw[b] = {};
        if (pixel[b] >= 0) raw[b] = load<T, V>(data + pixel[b] * stride + channel[b]);
      }
#pragma unroll
      for (int b = 0; b < kBatch; ++b)
#pragma unroll
        for (int v = 0; v < V; ++v) sum[b][v] += to_float(raw[b].v[v]);
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      if (target[b] < 0) continue;
#pragma unroll
      for (int v = 0; v < V; ++v) sum[b][v] = activate(args.pre, sum[b][v]);
      store<T, V>(to + target[b], sum[b]);
    }
  }
}

/// Four channels into a row of a tile, as the matrix units want them.
__device__ __forceinline__ void store_left(char* tile, int row, int vector, const float (&x)[4], float) {
  *reinterpret_cast<uint4*>(tile + mma::chunk_at(row, vector)) = make_uint4(
      mma::round_to_tf32(x[0]), mma::round_to_tf32(x[1]), mma::round_to_tf32(x[2]), mma::round_to_tf32(x[3]));
}
__device__ __forceinline__ void store_left(char* tile, int row, int vector, const float (&x)[4], __half) {
  store<__half, 4>(reinterpret_cast<__half*>(tile + mma::chunk_at(row, vector / 2) + vector % 2 * 8), x);
}

/// The depthwise convolution of a chunk, window to `left`: [pack][pixel of the tile][64 bytes].
template <class T, int K, int S>
__device__ __forceinline__ void convolve_window(const SeparableArgs& args, const T* window, const T* taps,
                                                const float* bias, char* left, int packs, int rows) {
  constexpr int kDepth = kPackBytes / sizeof(T), kVectors = kDepth / 4;  // of a pack
  constexpr int kSpan = (kStrip - 1) * S + K;
  const SeparablePlan& plan = args.plan;
  const int vectors = packs * kVectors, pitch = packs * kDepth;
  const int items = plan.tile_h * plan.strips_x * vectors;
  for (int item = threadIdx.x; item < items; item += blockDim.x) {
    const int strip = item / vectors, vector = item - strip * vectors;
    const int y = strip / plan.strips_x, x = (strip - y * plan.strips_x) * kStrip;
    const int pack = vector / kVectors, in_pack = vector % kVectors;
    const T* from = window + (y * S * plan.window_w + x * S) * pitch + vector * 4;
    const T* tap = taps + pack * K * K * kDepth + in_pack * 4;
    const Vec<float, 4> start = load<float, 4>(bias + vector * 4);
    float sum[kStrip][4];
#pragma unroll
    for (int p = 0; p < kStrip; ++p)
#pragma unroll
      for (int v = 0; v < 4; ++v) sum[p][v] = start.v[v];
#pragma unroll(K == 3 ? 3 : 1)
    for (int ky = 0; ky < K; ++ky) {
      float w[K][4];
#pragma unroll
      for (int kx = 0; kx < K; ++kx) {
        const Vec<T, 4> raw = load<T, 4>(tap + (ky * K + kx) * kDepth);
#pragma unroll
        for (int v = 0; v < 4; ++v) w[kx][v] = to_float(raw.v[v]);
      }
#pragma unroll
      for (int j = 0; j < kSpan; ++j) {
        const Vec<T, 4> raw = load<T, 4>(from + (ky * plan.window_w + j) * pitch);
#pragma unroll
        for (int p = 0; p < kStrip; ++p) {
          const int kx = j - p * S;
          if (kx < 0 || kx >= K) continue;
#pragma unroll
          for (int v = 0; v < 4; ++v) sum[p][v] = fmaf(w[kx][v], to_float(raw.v[v]), sum[p][v]);
        }
      }
    }
#pragma unroll
    for (int p = 0; p < kStrip; ++p) {
      if (x + p >= plan.tile_w) break;
#pragma unroll
      for (int v = 0; v < 4; ++v) sum[p][v] = activate(args.middle, sum[p][v]);
      store_left(left + pack * rows * kPackBytes, y * plan.tile_w + x + p, in_pack, sum[p], T{});
    }
  }
}

/// `count` times 16 bytes to shared memory.
__device__ __forceinline__ void copy_in(void* to, const void* from, int count) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) static_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
}

/// Warps of kWarpRows pixels x 32 output channels, as many as the launch has.
template <class T, int K, int S, int kWarpRows>
__global__ void __launch_bounds__(256, 2) separable_kernel(const __grid_constant__ SeparableArgs args) {
  constexpr int kDepth = kPackBytes / sizeof(T), kChunks = mma::kChunks;
  extern __shared__ __align__(128) char memory[];
  const SeparablePlan& plan = args.plan;
  const Window& g = args.window;
  const int tid = threadIdx.x, threads = blockDim.x, warp = tid / 32;
  const int rows = plan.warps_m * kWarpRows, columns = threads / plan.warps_m;  // of the tile
  const int warp_m = warp % plan.warps_m * kWarpRows, warp_n = warp / plan.warps_m * kWarpColumns;
  int tile = blockIdx.x;
  const int x0 = tile % plan.tiles_x * plan.tile_w;
  tile /= plan.tiles_x;
  const int y0 = tile % plan.tiles_y * plan.tile_h, image = tile / plan.tiles_y;
  const int first_row = blockIdx.y * columns, split = blockIdx.z, splits = gridDim.z;
  const int begin = plan.packs * split / splits, end = plan.packs * (split + 1) / splits;
  const int turns = (end - begin + plan.turn_packs - 1) / plan.turn_packs;

  char *left = memory + plan.left, *ring = memory + plan.ring_at;
  T *window = reinterpret_cast<T*>(memory + plan.window_at), *taps = reinterpret_cast<T*>(memory + plan.taps_at);
  float* taps_bias = reinterpret_cast<float*>(memory + plan.bias_at);

  const auto fetch_weights = [&](int turn) {
    const int first = begin + turn * plan.turn_packs, count = min(plan.turn_packs, end - first);
    char* stage = ring + turn % kRing * plan.turn_packs * columns * kPackBytes;
    for (int i = tid; i < count * columns * kChunks; i += threads) {
      const int chunk = i % kChunks, pack = i / kChunks / columns, row = i / kChunks - pack * columns;
      if (first_row + row >= args.outputs) continue;
      const char* from =
          args.weights + (static_cast<std::int64_t>(first + pack) * args.rows_padded + first_row + row) * kPackBytes;
      __pipeline_memcpy_async(stage + pack * columns * kPackBytes + mma::chunk_at(row, chunk), from + chunk * 16, 16);
    }
  };
  const auto chunk_packs = [&](int turn) {
    return min(plan.chunk_turns * plan.turn_packs, end - begin - turn * plan.turn_packs);
  };
  const auto load_taps = [&](int turn) {
    const int first = begin + turn * plan.turn_packs, packs = chunk_packs(turn);
    copy_in(taps, args.taps + first * K * K * kPackBytes, packs * K * K * kChunks);
    copy_in(taps_bias, args.taps_bias + first * kDepth, packs * kDepth / 4);
  };

  // What nothing writes may come early: into the cache the weights of all turns, into shared memory those
  // of the first.
  if (blockIdx.x == 0)
    prefetch(args.weights + (static_cast<std::int64_t>(begin) * args.rows_padded + first_row) * kPackBytes, end - begin,
             static_cast<std::int64_t>(args.rows_padded) * kPackBytes,
             min(columns, args.rows_padded - first_row) * kPackBytes);
  for (int turn = 0; turn < kRing - 1; ++turn) {
    if (turn < turns) fetch_weights(turn);
    __pipeline_commit();
  }
  load_taps(0);
  await_predecessor();

  float sum[kWarpRows / 16][kWarpColumns / 8][4] = {};
  for (int turn = 0; turn < turns; ++turn) {
    if (turn % plan.chunk_turns == 0) {
      const int packs = chunk_packs(turn), first = begin + turn * plan.turn_packs;
      if (turn > 0) {
        __syncthreads();  // the chunk before has been multiplied
        load_taps(turn);
      }
      const int iy = y0 * S - g.ph, ix = x0 * S - g.pw;
      if (sizeof(T) == 2 && args.vector == 8) {
        load_window<T, 16 / sizeof(T)>(args, window, first, packs, image, iy, ix);
      } else if (args.vector == 4) {
        load_window<T, 4>(args, window, first, packs, image, iy, ix);
      } else if (args.vector == 2) {
        load_window<T, 2>(args, window, first, packs, image, iy, ix);
      } else {
        load_window<T, 1>(args, window, first, packs, image, iy, ix);
      }
      __syncthreads();
      convolve_window<T, K, S>(args, window, taps, taps_bias, left, packs, rows);
    }
    __pipeline_wait_prior(kRing - 2);
    __syncthreads();
    if (turn + kRing - 1 < turns) fetch_weights(turn + kRing - 1);
    __pipeline_commit();
    if (first_row + warp_n >= args.outputs) continue;
    const int packs = min(plan.turn_packs, end - begin - turn * plan.turn_packs);
    const char* a = left + turn % plan.chunk_turns * plan.turn_packs * rows * kPackBytes;
    const char* b = ring + turn % kRing * plan.turn_packs * columns * kPackBytes;
    for (int pack = 0; pack < packs; ++pack, a += rows * kPackBytes, b += columns * kPackBytes) {
#pragma unroll
      for (int k = 0; k < kChunks; k += 2) {
        unsigned left_side[kWarpRows / 16][4], right_side[kWarpColumns / 16][4];
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i) mma::load_left(left_side[i], a, warp_m + i * 16, k);
#pragma unroll
        for (int i = 0; i < kWarpColumns / 16; ++i) mma::load_right(right_side[i], b, warp_n + i * 16, k);
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i)
#pragma unroll
          for (int j = 0; j < kWarpColumns / 8; ++j)
            mma::multiply(sum[i][j], left_side[i], right_side[j / 2][j % 2 * 2], right_side[j / 2][j % 2 * 2 + 1], T{});
      }
    }
  }

  release_successor();
  // Every block of the cluster leaves its partial tile in shared memory; each adds up its part of all.
  const int pitch = columns + 4;
  float* partial = reinterpret_cast<float*>(memory);
  __pipeline_wait_prior(0);
  __syncthreads();
  mma::store_product(sum, partial + warp_m * pitch + warp_n, pitch);
  mma::sync_splits(splits);
  for (int i = split * threads + tid; i < plan.tile_h * plan.tile_w * (columns / 4); i += splits * threads) {
    const int m = i / (columns / 4), n = (i - m * (columns / 4)) * 4;
    float value[4] = {};
    for (int other = 0; other < splits; ++other) {
      const auto part = load<float, 4>(mma::in_split(partial, other, splits) + m * pitch + n);
#pragma unroll
      for (int j = 0; j < 4; ++j) value[j] += part.v[j];
    }
    const int row = first_row + n, y = m / plan.tile_w, x = m - y * plan.tile_w;
    if (row >= args.outputs || y0 + y >= g.oh || x0 + x >= g.ow) continue;
    const auto bias = load<float, 4>(args.bias + row);  // padded
#pragma unroll
    for (int j = 0; j < 4; ++j) value[j] = activate(args.post, value[j] + bias.v[j]);
    T* out = reinterpret_cast<T*>(args.out) +
             ((static_cast<std::int64_t>(image) * g.oh + y0 + y) * g.ow + x0 + x) * args.out_stride + row;
    mma::store_four(out, value, args.outputs - row, args.wide_output);
  }
  if (splits > 1) mma::sync_splits(splits);  // shared memory must outlive its readers
}

template <class T, int K, int S>
auto pick_rows(int warp_rows) {
  return warp_rows == 16 ? separable_kernel<T, K, S, 16> : separable_kernel<T, K, S, 32>;
}

template <class T, int K>
auto pick_stride(int stride, int warp_rows) {
  return stride == 1 ? pick_rows<T, K, 1>(warp_rows) : pick_rows<T, K, 2>(warp_rows);
}

}  // namespace

template <class T>
void launch_separable(cudaStream_t stream, const SeparableTile& tile, const SeparableArgs& args) {
  const SeparablePlan& plan = args.plan;
  const Window& g = args.window;
  const auto kernel = g.kh == 3   ? pick_stride<T, 3>(g.sh, plan.warp_rows)
                      : g.kh == 5 ? pick_stride<T, 5>(g.sh, plan.warp_rows)
                                  : pick_stride<T, 7>(g.sh, plan.warp_rows);
  // The most that there is, not what this launch needs: captured launches of others share the kernel.
  int device = 0, most = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  OPSCHED_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
  const dim3 blocks(plan.tiles_x * plan.tiles_y * g.n, (args.outputs + tile.channels - 1) / tile.channels, tile.splits);
  launch_overlapping(kernel, {blocks, dim3(plan.threads), static_cast<std::size_t>(plan.shared_bytes), tile.splits},
                     stream, args);
}

}  // namespace opsched::native
