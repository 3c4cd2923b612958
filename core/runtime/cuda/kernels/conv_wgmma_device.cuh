// The kernel of conv_wgmma.cu.
#pragma once

#include <cuda.h>

#include "core/runtime/cuda/kernels/async_barrier.cuh"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/wgmma.cuh"

namespace opsched::wgmma {

constexpr int kChunk = 16;         // bytes of channels copied at a time
constexpr int kStep = 2 * kChunk;  // bytes of channels per product
constexpr int kMostDepth = 4;      // steps per part of the channels
constexpr int kPatches = 2, kMostStages = 32;
constexpr int kPixel = kMostDepth * kStep;  // bytes of a pixel in a patch, whether used or not
constexpr int kGroup = 128;                 // threads of a warp group
constexpr int kConsumers = 2 * kGroup;
/// One warp loads pixels, and one weights. With one block per multiprocessor they belong to a whole warp group, which
/// can give up registers.
constexpr int threads_of(int blocks) { return kConsumers + (blocks == 1 ? kGroup : 64); }
constexpr int kSlab = 32;  // channels of a slab of sums
/// Bytes from one pixel of a slab to the next: eight pixels' first words lie in different banks.
constexpr int slab_pitch(int element) { return kSlab * element + (element == 2 ? 16 : 32); }
constexpr int kSlabBytes = 16 * slab_pitch(4);                        // a warp's
constexpr int kMostShared = 227 << 10, kMostSharedOfTwo = 113 << 10;  // bytes for one block, and for each of two

struct Params {
  ConvGeometry g;
  native::FastDiv row, image;  // padded grid: pixels per row, rows per image
  native::FastDiv row_tiles;
  int tiles, row_count;  // row_count: output channels, padded
  int steps, parts;      // of the channels
  int box, boxes;        // pixels that are loaded at once, and such boxes per row
  int image_pixels;      // of the output
  bool flat;             // rows of the grid lie behind one another in the tensor's axis w
  int stages, stage_bytes, patch_bytes;
  char* output;
  const char* weights;
  const float* bias;
  bool wide_output;  // sixteen bytes can be stored at once, and loaded from the residual
  const char* residual;
};

/// The steps of part i of the channels.
struct Part {
  int first, steps;
};
__host__ __device__ inline Part part_of(int steps, int parts, int i) {
  const int base = steps / parts, more = steps % parts;
  return {i * base + (i < more ? i : more), base + (i < more)};
}

/// Shared addresses of a block's buffers and barriers.
struct Shared {
  unsigned patches, stages, slabs, barriers;
  __device__ Shared(const char* memory, const Params& params)
      : patches(native::shared_address(memory)),
        stages(patches + kPatches * params.patch_bytes),
        slabs(stages + params.stages * params.stage_bytes),
        barriers(slabs + kConsumers / 32 * kSlabBytes) {}
  __device__ unsigned patch_full(int i) const { return barriers + i * 8; }
  __device__ unsigned patch_empty(int i) const { return barriers + (kPatches + i) * 8; }
  __device__ unsigned stage_full(int i) const { return barriers + (2 * kPatches + i) * 8; }
  __device__ unsigned stage_empty(int i) const { return barriers + (2 * kPatches + kMostStages + i) * 8; }
};
constexpr int kOtherBytes = (2 * kPatches + 2 * kMostStages) * 8 + kConsumers / 32 * kSlabBytes;

/// Counts through buffers that are used in turn; `parity` is that of the current use of the buffer.
struct Turn {
  int index = 0;
  unsigned parity = 0;
  __device__ void next(int count) {
    if (++index == count) index = 0, parity ^= 1;
  }
};

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
      native::barrier::arrive_expecting(full, (end - begin) * row * kPixel);
      for (int i = begin; i < end; ++i) {
        std::uint32_t image = i;
        const int h = static_cast<int>(params.image.split(image)) - g.pad_h;
        for (int box = 0; box < params.boxes; ++box, to += params.box * kPixel)
          native::barrier::tensor_copy(to, input, p.first * kStep / static_cast<int>(sizeof(T)),
                                       box * params.box - g.pad_w + (params.flat ? i * row : 0), params.flat ? 0 : h,
                                       static_cast<int>(image), full);
      }
      turn.next(kPatches);
    }
  }
}

/// Loads the weights of all tiles: a stage holds one tap's of a part of the channels. One warp.
template <int BN>
__device__ __forceinline__ void load_weights(const Params& params, const Shared& shared) {
  const int lane = threadIdx.x % 32, taps = params.g.r * params.g.s;
  Turn turn;
  for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
    std::uint32_t at = tile;
    const int first = static_cast<int>(params.row_tiles.split(at)) * BN;
    const int bytes = min(BN, params.row_count - first) * kChunk;
    const char* from = params.weights + first * kChunk;
    for (int part = 0; part < params.parts; ++part) {
      const int chunks = part_of(params.steps, params.parts, part).steps * 2;
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
template <class T, int M, int N>
__device__ __forceinline__ void multiply(float (&sum)[M][N / 2], const Params& params, const Shared& shared, int first,
                                         Turn& patch, Turn& stage) {
  const ConvGeometry& g = params.g;
  const bool signals = threadIdx.x % 32 == 0;
  int last_stage = -1;
  for (int part = 0; part < params.parts; ++part) {
    const int steps = part_of(params.steps, params.parts, part).steps;
    native::barrier::await(shared.patch_full(patch.index), patch.parity);
    const unsigned pixels = shared.patches + patch.index * params.patch_bytes + first * kPixel;
    for (int r = 0; r < g.r; ++r) {
      for (int s = 0; s < g.s; ++s) {
        const int offset = r * g.dilation_h * static_cast<int>(params.row.divisor) + s * g.dilation_w;
        std::uint64_t left = swizzled(pixels + offset * kPixel);
        std::uint64_t right = descriptor(shared.stages + stage.index * params.stage_bytes, N);
        native::barrier::await(shared.stage_full(stage.index), stage.parity);
        open();
        for (int step = 0; step < steps; ++step, left += kStep / 16, right += 2 * N) {
#pragma unroll
          for (int m = 0; m < M; ++m) Product<T, N>::add(sum[m], left + m * 64 * kPixel / 16, right);
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
template <class T, int BM, int BN, int Blocks, bool Residual>
__global__ void __launch_bounds__(threads_of(Blocks), Blocks)
    conv_wgmma_kernel(const __grid_constant__ CUtensorMap input, const __grid_constant__ Params params) {
#if __CUDA_ARCH_FEAT_SM90_ALL
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
      load_weights<BN>(params, shared);
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
      multiply<T, M, BN>(sum, params, shared, begin + first, patch, stage);
      if (tile + gridDim.x >= params.tiles) native::release_successor();
      finish<Residual, T, M, BN>(sum, params, slab, pixel + first, row);
    }
  }
#endif
}

}  // namespace opsched::wgmma
