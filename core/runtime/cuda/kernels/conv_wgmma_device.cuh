// The kernel of conv_wgmma.cu.
#pragma once

#include <cuda.h>

#include "core/runtime/cuda/kernels/async_barrier.cuh"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/conv_wgmma_params.cuh"
#include "core/runtime/cuda/kernels/conv_wgmma_store.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/mma_tile.cuh"
#include "core/runtime/cuda/kernels/wgmma.cuh"

namespace opsched::wgmma {

/// Loads the pixels of all tiles, one part of the channels after another: rows of the padded grid from the one in which
/// the tile begins to the one in which its last neighbour lies. One thread.
template <class T, int BM>
__device__ __forceinline__ void load_patches(const CUtensorMap& input, const Params& params, const Shared& shared) {
  const ConvGeometry& g = params.g;
  const int row = static_cast<int>(params.row.divisor);
  const int reach = (g.r - 1) * g.dilation_h * row + (g.s - 1) * g.dilation_w;
  Turn turn;
  for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
    const int first = static_cast<int>(params.row_tiles.div(tile)) * BM;
    const int begin = params.row.div(first), end = params.row.div(first + BM - 1 + reach) + 1;
    for (int part = 0; part < params.parts; ++part) {
      const Part p = part_of(params.steps, params.parts, part);
      native::barrier::await(shared.patch_empty(turn.index), turn.parity ^ 1);
      const unsigned full = shared.patch_full(turn.index);
      unsigned to = shared.patches + turn.index * params.patch_bytes;
      native::barrier::arrive_expecting(full, (end - begin) * row * params.pixel);
      for (int i = begin; i < end; ++i) {
        std::uint32_t image = i;
        const int h = static_cast<int>(params.image.split(image)) - g.pad_h;
        for (int box = 0; box < params.boxes; ++box, to += params.box * params.pixel)
          native::barrier::tensor_copy(to, input, p.first * kStep / static_cast<int>(sizeof(T)),
                                       box * params.box - g.pad_w + (params.flat ? i * row : 0), params.flat ? 0 : h,
                                       static_cast<int>(image), full);
      }
      turn.next(kPatches);
    }
  }
}

/// Loads the weights of all tiles: a stage holds one tap's of a part of the channels. One warp.
template <class Format, int BN>
__device__ __forceinline__ void load_weights(const Params& params, const Shared& shared) {
  const int lane = threadIdx.x % 32, taps = params.g.r * params.g.s;
  Turn turn;
  for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
    std::uint32_t at = tile;
    const int first = static_cast<int>(params.row_tiles.split(at)) * BN;
    const int bytes = min(BN, params.row_count - first) * kChunk;
    const char* from = params.weights + first * kChunk;
    for (int part = 0; part < params.parts; ++part) {
      const int chunks = part_of(params.steps, params.parts, part).steps * 2 * Format::kTerms;
      for (int tap = 0; tap < taps; ++tap) {
        native::barrier::await(shared.stage_empty(turn.index), turn.parity ^ 1);
        if (lane == 0) native::barrier::arrive_expecting(shared.stage_full(turn.index), chunks * bytes);
        __syncwarp();
        if (lane < chunks)
          native::barrier::bulk_copy(shared.stages + turn.index * params.stage_bytes + lane * BN * kChunk,
                                     from + static_cast<std::int64_t>(lane) * params.row_count * kChunk, bytes,
                                     shared.stage_full(turn.index));
        from += static_cast<std::int64_t>(chunks) * params.row_count * kChunk;
        turn.next(params.stages);
      }
    }
  }
}

/// A warp group's products of one tile: M x 64 pixels, from `first` on in the block's tile, and N channels.
template <int M, int N, class Format>
__device__ __forceinline__ void multiply(float (&sum)[M][N / 2], const Params& params, const Shared& shared, int first,
                                         Turn& patch, Turn& stage, Format) {
  using T = typename Format::Stored;
  const ConvGeometry& g = params.g;
  const bool signals = threadIdx.x % 32 == 0;
  int last_stage = -1;
  for (int part = 0; part < params.parts; ++part) {
    const int steps = part_of(params.steps, params.parts, part).steps;
    native::barrier::await(shared.patch_full(patch.index), patch.parity);
    const unsigned pixels = shared.patches + patch.index * params.patch_bytes + first * params.pixel;
    for (int r = 0; r < g.r; ++r) {
      for (int s = 0; s < g.s; ++s) {
        const int offset = r * g.dilation_h * static_cast<int>(params.row.divisor) + s * g.dilation_w;
        std::uint64_t left = swizzled(pixels + offset * params.pixel, params.pixel);
        std::uint64_t right = descriptor(shared.stages + stage.index * params.stage_bytes, N);
        native::barrier::await(shared.stage_full(stage.index), stage.parity);
        open();
        for (int step = 0; step < steps; ++step, left += kStep / 16, right += 2 * N) {
#pragma unroll
          for (int m = 0; m < M; ++m) Product<T, N>::add(sum[m], left + m * (64 / 16) * params.pixel, right);
        }
        close();
        await<1>();
        if (last_stage >= 0 && signals) native::barrier::arrive(shared.stage_empty(last_stage));
        last_stage = stage.index;
        stage.next(params.stages);
      }
    }
    await<0>();
    if (signals) {
      native::barrier::arrive(shared.stage_empty(last_stage));
      native::barrier::arrive(shared.patch_empty(patch.index));
    }
    last_stage = -1;
    patch.next(kPatches);
  }
#pragma unroll
  for (int m = 0; m < M; ++m) pin(sum[m]);
}

/// The terms of a thread's part of 16 rows of 32 bytes at a shared address, in which 64-byte rows are swizzled.
__device__ __forceinline__ mma::Terms load_terms(unsigned address) {
  unsigned x[4];
  mma::load_matrices(x, address ^ (address >> 7 & 3) << 4);
  return mma::terms_of(x);
}

/// The products of a stage: first the small ones, which lose the least when they are added up.
template <int N>
__device__ __forceinline__ void multiply_terms(float (&products)[N / 2], const mma::Terms (&left)[kTermDepth],
                                               std::uint64_t right) {
  constexpr int kStepPitch = 2 * N;  // in units of descriptors
  const std::uint64_t small = right + kTermDepth * kStepPitch;
#pragma unroll
  for (int step = 0; step < kTermDepth; ++step) {
    ProductOfRegisters<N>::add(products, left[step].small, right + step * kStepPitch, step > 0);
    ProductOfRegisters<N>::add(products, left[step].big, small + step * kStepPitch, true);
  }
#pragma unroll
  for (int step = 0; step < kTermDepth; ++step)
    ProductOfRegisters<N>::add(products, left[step].big, right + step * kStepPitch, true);
}

/// The same in tf32x3. A stage's products are summed apart, as in mma::multiply_all.
template <int M, int N>
__device__ __forceinline__ void multiply(float (&sum)[M][N / 2], const Params& params, const Shared& shared, int first,
                                         Turn& patch, Turn& stage, mma::Tf32x3) {
  const ConvGeometry& g = params.g;
  const int lane = threadIdx.x % 32;
  const int own = (first + threadIdx.x % kGroup / 32 * 16 + lane % 16) * params.pixel + lane / 16 * kChunk;
  for (int part = 0; part < params.parts; ++part) {
    native::barrier::await(shared.patch_full(patch.index), patch.parity);
    const unsigned pixels = shared.patches + patch.index * params.patch_bytes + own;
    for (int r = 0; r < g.r; ++r) {
      for (int s = 0; s < g.s; ++s) {
        const int offset = r * g.dilation_h * static_cast<int>(params.row.divisor) + s * g.dilation_w;
        const std::uint64_t right = descriptor(shared.stages + stage.index * params.stage_bytes, N);
#pragma unroll
        for (int m = 0; m < M; ++m) {
          mma::Terms left[kTermDepth];
#pragma unroll
          for (int step = 0; step < kTermDepth; ++step)
            left[step] = load_terms(pixels + (offset + m * 64) * params.pixel + step * kStep);
          if (m == 0) native::barrier::await(shared.stage_full(stage.index), stage.parity);
          float products[N / 2];
          open();
          multiply_terms<N>(products, left, right);
          close();
          await<0>();
          pin(products);
#pragma unroll
          for (int i = 0; i < N / 2; ++i) sum[m][i] += products[i];
        }
        if (lane == 0) native::barrier::arrive(shared.stage_empty(stage.index));
        stage.next(params.stages);
      }
    }
    if (lane == 0) native::barrier::arrive(shared.patch_empty(patch.index));
    patch.next(kPatches);
  }
}

/// The sums before the first product.
template <int M, int N>
__device__ __forceinline__ void start(float (&sum)[M][N / 2], const float* bias) {
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
    const float2 two = __ldg(reinterpret_cast<const float2*>(bias + j * 8 + threadIdx.x % 4 * 2));
#pragma unroll
    for (int m = 0; m < M; ++m) {
      sum[m][j * 4] = sum[m][j * 4 + 2] = two.x;
      sum[m][j * 4 + 1] = sum[m][j * 4 + 3] = two.y;
    }
  }
}

/// Blocks go through tiles of BM pixels x BN channels. Two warp groups compute half of the pixels each; the other warps
/// load. `Blocks`: blocks per multiprocessor.
template <class Format, int BM, int BN, int Blocks, bool Residual>
__global__ void __launch_bounds__(threads_of(Blocks), Blocks)
    conv_wgmma_kernel(const __grid_constant__ CUtensorMap input, const __grid_constant__ Params params) {
#if __CUDA_ARCH_FEAT_SM90_ALL
  using T = typename Format::Stored;
  constexpr int M = BM / 2 / 64;
  extern __shared__ __align__(1024) char memory[];
  const Shared shared(memory, params);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kPatches; ++i) {
      native::barrier::init(shared.patch_full(i), 1);
      native::barrier::init(shared.patch_empty(i), kConsumers / 32);
    }
    for (int i = 0; i < params.stages; ++i) {
      native::barrier::init(shared.stage_full(i), 1);
      native::barrier::init(shared.stage_empty(i), kConsumers / 32);
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // bulk copies use the barriers
  }
  __syncthreads();
  if (threadIdx.x >= kConsumers) {
    if constexpr (Blocks == 1) shrink_registers<40>();
    if (threadIdx.x == kConsumers) {
      native::await_predecessor();
      load_patches<T, BM>(input, params, shared);
    } else if (threadIdx.x / 32 == kConsumers / 32 + 1) {
      load_weights<Format, BN>(params, shared);
    }
    native::release_successor();
  } else {
    if constexpr (Blocks == 1) grow_registers<232>();
    if constexpr (Residual) native::await_predecessor();
    const int first = threadIdx.x / kGroup * (BM / 2);
    char* const slab = memory + (shared.slabs - shared.patches) + threadIdx.x / 32 * kSlabBytes;
    Turn patch, stage;
    for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
      std::uint32_t at = tile;
      const int row = static_cast<int>(params.row_tiles.split(at)) * BN, pixel = static_cast<int>(at) * BM;
      std::uint32_t grid_row = pixel;
      const int begin = static_cast<int>(params.row.split(grid_row));  // in the patch
      if constexpr (Residual) prefetch_residual<T, M, BN>(params, pixel + first, row);
      float sum[M][BN / 2];
      start<M, BN>(sum, params.bias + row);
      multiply<M, BN>(sum, params, shared, begin + first, patch, stage, Format{});
      if (tile + gridDim.x >= params.tiles) native::release_successor();
      finish<Residual, T, M, BN>(sum, params, slab, pixel + first, row);
    }
  }
#endif
}

}  // namespace opsched::wgmma
