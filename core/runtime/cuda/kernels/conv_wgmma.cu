// Implicit matrix product on the tensor cores of sm_90, for problems that fill the GPU. At large batches, the traffic
// between the L2 cache and the multiprocessors limits convolutions that read their input once per tap. Here a block
// reads the pixels of a tile once, with their neighbours, into shared memory, and every tap is a shifted view of them.
//
// Pixels are numbered through a padded grid: rows of `Grid::row` pixels, images of `Grid::image` pixels, one behind
// another, with the padding at the left and at the top. What a tap reads beyond the right or lower edge is the next
// row's or image's padding. Output pixel f reads pixel f + offset(tap), so a tile is a run of consecutive pixels.
// Outputs that only exist in the padded grid are computed and not stored.
#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/async_barrier.cuh"
#include "core/runtime/cuda/kernels/conv_wgmma.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/mma_tile.cuh"
#include "core/runtime/cuda/kernels/wgmma.cuh"
#include "core/tf32.hpp"

namespace opsched {
namespace {

constexpr int kChunk = 16;         // bytes of channels copied at a time
constexpr int kStep = 2 * kChunk;  // bytes of channels per product
constexpr int kMostDepth = 4;      // steps per part of the channels
constexpr int kPatches = 2, kMostStages = 8;
constexpr int kGroup = 128;  // threads of a warp group
constexpr int kConsumers = 2 * kGroup;
/// Threads that load pixels; one more warp loads weights. With one block per multiprocessor they complete a warp group,
/// which can give up registers.
constexpr int loaders_of(int blocks) { return blocks == 1 ? 96 : 32; }
constexpr int threads_of(int blocks) { return kConsumers + loaders_of(blocks) + 32; }
constexpr int kMostShared = 227 << 10, kMostSharedOfTwo = 113 << 10;  // bytes for one block, and for each of two

struct Params {
  ConvGeometry g;
  native::FastDiv row, image;  // padded grid: pixels per row, rows per image
  native::FastDiv row_tiles;
  int tiles, row_count;  // row_count: output channels, padded
  int steps, parts;      // of the channels
  int patch;             // pixels of a patch; odd, so that chunks of a pixel lie in different banks
  int stages, stage_bytes, patch_bytes;
  int loader_shift;  // 1 << loader_shift threads load the chunks of a pixel
  const char* input;
  char* output;
  const char* weights;
  const float* bias;
  bool wide_output;  // eight bytes can be stored at once
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
  unsigned patches, stages, barriers;
  __device__ Shared(const char* memory, const Params& params)
      : patches(native::shared_address(memory)),
        stages(patches + kPatches * params.patch_bytes),
        barriers(stages + params.stages * params.stage_bytes) {}
  __device__ unsigned patch_full(int i) const { return barriers + i * 8; }
  __device__ unsigned patch_empty(int i) const { return barriers + (kPatches + i) * 8; }
  __device__ unsigned stage_full(int i) const { return barriers + (2 * kPatches + i) * 8; }
  __device__ unsigned stage_empty(int i) const { return barriers + (2 * kPatches + kMostStages + i) * 8; }
};
constexpr int kBarrierBytes = (2 * kPatches + 2 * kMostStages) * 8;

/// Counts through buffers that are used in turn; `parity` is that of the current use of the buffer.
struct Turn {
  int index = 0;
  unsigned parity = 0;
  __device__ void next(int count) {
    if (++index == count) index = 0, parity ^= 1;
  }
};

/// Loads the pixels of all tiles, one part of the channels after another.
template <class T, int BM, int Loaders>
__device__ __forceinline__ void load_patches(const Params& params, const Shared& shared) {
  const ConvGeometry& g = params.g;
  const int thread = threadIdx.x - kConsumers, chunk = thread & ((1 << params.loader_shift) - 1);
  Turn turn;
  for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
    const int first = static_cast<int>(params.row_tiles.div(tile)) * BM;
    for (int part = 0; part < params.parts; ++part) {
      const Part p = part_of(params.steps, params.parts, part);
      native::barrier::await(shared.patch_empty(turn.index), turn.parity ^ 1);
      const int channel = (p.first * 2 + chunk) * (kChunk / static_cast<int>(sizeof(T)));
      const int bytes = max(0, min(kChunk, (g.c - channel) * static_cast<int>(sizeof(T))));
      if (chunk < p.steps * 2) {
        unsigned to = shared.patches + turn.index * params.patch_bytes + chunk * params.patch * kChunk;
        const char* input = params.input + static_cast<std::int64_t>(channel) * sizeof(T);
#pragma unroll 4
        for (int i = thread >> params.loader_shift; i < params.patch; i += Loaders >> params.loader_shift) {
          std::uint32_t at = first + i;
          const int w = static_cast<int>(params.row.split(at)) * g.stride_w - g.pad_w;
          const int h = static_cast<int>(params.image.split(at)) * g.stride_h - g.pad_h;
          const bool valid = static_cast<unsigned>(h) < static_cast<unsigned>(g.h) &&
                             static_cast<unsigned>(w) < static_cast<unsigned>(g.w) && static_cast<int>(at) < g.batch;
          const std::int64_t pixel =
              valid ? at * g.in_stride_n + static_cast<std::int64_t>(h * g.w + w) * g.in_stride : 0;
          native::copy_async<kChunk>(to + i * kChunk, input + pixel * sizeof(T), valid ? bytes : 0);
        }
      }
      native::barrier::arrive_after_copies(shared.patch_full(turn.index));
      turn.next(kPatches);
    }
  }
  native::close_copies();
  native::await_copies<0>();  // a thread may not end before its copies
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
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // ordinary copies wrote what the products read
    const unsigned pixels = shared.patches + patch.index * params.patch_bytes + first * kChunk;
    for (int r = 0; r < g.r; ++r) {
      for (int s = 0; s < g.s; ++s) {
        const int offset = r * g.dilation_h * static_cast<int>(params.row.divisor) + s * g.dilation_w;
        std::uint64_t left = wgmma::descriptor(pixels + offset * kChunk, params.patch);
        std::uint64_t right = wgmma::descriptor(shared.stages + stage.index * params.stage_bytes, N);
        native::barrier::await(shared.stage_full(stage.index), stage.parity);
        wgmma::open();
        for (int step = 0; step < steps; ++step, left += 2 * params.patch, right += 2 * N) {
#pragma unroll
          for (int m = 0; m < M; ++m) wgmma::Product<T, N>::add(sum[m], left + m * 64, right);
        }
        wgmma::close();
        wgmma::await<1>();
        if (last_stage >= 0 && signals) native::barrier::arrive(shared.stage_empty(last_stage));
        last_stage = stage.index;
        stage.next(params.stages);
      }
    }
    wgmma::await<0>();
    if (signals) {
      native::barrier::arrive(shared.stage_empty(last_stage));
      native::barrier::arrive(shared.patch_empty(patch.index));
    }
    last_stage = -1;
    patch.next(kPatches);
  }
#pragma unroll
  for (int m = 0; m < M; ++m) wgmma::pin(sum[m]);
}

/// Stores two channels that this thread holds. In fp16, pairs of threads first exchange theirs, so that each stores
/// four channels: `a` and `b` are those of two neighbouring groups of eight.
__device__ __forceinline__ void store(float* out, int channel, int count, const float (&a)[2], const float (&b)[2],
                                      bool wide) {
  const int at = channel + threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float(&x)[2] = i == 0 ? a : b;
    float* to = out + at + i * 8;
    const int left = count - at - i * 8;
    if (wide && left >= 2) {
      *reinterpret_cast<float2*>(to) = make_float2(x[0], x[1]);
    } else {
      if (left > 0) to[0] = x[0];
      if (left > 1) to[1] = x[1];
    }
  }
}
__device__ __forceinline__ void store(__half* out, int channel, int count, const float (&a)[2], const float (&b)[2],
                                      bool wide) {
  const bool odd = threadIdx.x % 2;
  const __half2 first = __floats2half2_rn(a[0], a[1]), second = __floats2half2_rn(b[0], b[1]);
  const __half2 kept = odd ? second : first, given = odd ? first : second;
  const __half2 got = __shfl_xor_sync(~0u, given, 1);
  const int at = channel + (odd ? 8 : 0) + threadIdx.x % 4 / 2 * 4;
  if (!out) return;  // after the exchange
  const mma::Four<__half> four{
      {(odd ? got : kept).x, (odd ? got : kept).y, (odd ? kept : got).x, (odd ? kept : got).y}};
  if (wide && count - at >= 4) {
    *reinterpret_cast<mma::Four<__half>*>(out + at) = four;
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (at + i < count) out[at + i] = four.v[i];
  }
}

/// Adds the bias, activates and stores a warp group's sums.
template <class T, int M, int N>
__device__ __forceinline__ void finish(float (&sum)[M][N / 2], const Params& params, int first_pixel, int first_row) {
  const ConvGeometry& g = params.g;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
    const float2 bias = __ldg(reinterpret_cast<const float2*>(params.bias + first_row + j * 8 + threadIdx.x % 4 * 2));
#pragma unroll
    for (int m = 0; m < M; ++m) {
      sum[m][j * 4] += bias.x, sum[m][j * 4 + 1] += bias.y;
      sum[m][j * 4 + 2] += bias.x, sum[m][j * 4 + 3] += bias.y;
    }
  }
  native::with_light(g.act, [&](const auto& f) {
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int i = 0; i < N / 2; ++i) sum[m][i] = f(sum[m][i]);
  });
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int below = 0; below < 2; ++below) {
      std::uint32_t at = first_pixel + m * 64 + threadIdx.x % kGroup / 32 * 16 + below * 8 + threadIdx.x % 32 / 4;
      const int q = static_cast<int>(params.row.split(at)), p = static_cast<int>(params.image.split(at));
      T* out = nullptr;
      if (q < g.q && p < g.p && static_cast<int>(at) < g.batch)
        out = reinterpret_cast<T*>(params.output) + at * g.out_stride_n +
              static_cast<std::int64_t>(p * g.q + q) * g.out_stride;
      if (sizeof(T) == 4 && !out) continue;
#pragma unroll
      for (int j = 0; j < N / 8; j += 2) {
        const int k = j * 4 + below * 2;
        const float a[2] = {sum[m][k], sum[m][k + 1]}, b[2] = {sum[m][k + 4], sum[m][k + 5]};
        store(out ? out + first_row : nullptr, j * 8, g.k - first_row, a, b, params.wide_output);
      }
    }
  }
}

/// Blocks go through tiles of BM pixels x BN channels. One warp group loads, and two compute half of the pixels each.
/// `Blocks`: blocks per multiprocessor.
template <class T, int BM, int BN, int Blocks>
__global__ void __launch_bounds__(threads_of(Blocks), Blocks) conv_wgmma_kernel(const __grid_constant__ Params params) {
#if __CUDA_ARCH_FEAT_SM90_ALL
  constexpr int M = BM / 2 / 64;
  extern __shared__ __align__(128) char memory[];
  const Shared shared(memory, params);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kPatches; ++i) {
      native::barrier::init(shared.patch_full(i), loaders_of(Blocks));
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
    if constexpr (Blocks == 1) wgmma::shrink_registers<56>();
    if (threadIdx.x < kConsumers + loaders_of(Blocks)) {
      native::await_predecessor();
      load_patches<T, BM, loaders_of(Blocks)>(params, shared);
    } else {
      load_weights<BN>(params, shared);
    }
    native::release_successor();
  } else {
    if constexpr (Blocks == 1) wgmma::grow_registers<224>();
    const int first = threadIdx.x / kGroup * (BM / 2);
    Turn patch, stage;
    for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
      float sum[M][BN / 2] = {};
      multiply<T, M, BN>(sum, params, shared, first, patch, stage);
      if (tile + gridDim.x >= params.tiles) native::release_successor();
      std::uint32_t at = tile;
      const int row = static_cast<int>(params.row_tiles.split(at)) * BN;
      finish<T, M, BN>(sum, params, static_cast<int>(at) * BM + first, row);
    }
  }
#endif
}

struct Variant {
  int rows, columns, blocks;
  void (*functions[2])(Params);  ///< tf32, fp16
};

template <int BM, int BN, int Blocks>
constexpr Variant variant() {
  return {BN, BM, Blocks, {conv_wgmma_kernel<float, BM, BN, Blocks>, conv_wgmma_kernel<__half, BM, BN, Blocks>}};
}

constexpr Variant kVariants[] = {variant<256, 32, 2>(),  variant<256, 64, 2>(),  variant<128, 96, 2>(),
                                 variant<128, 128, 2>(), variant<256, 96, 1>(),  variant<256, 128, 1>(),
                                 variant<256, 160, 1>(), variant<256, 192, 1>(), variant<128, 192, 1>(),
                                 variant<128, 256, 1>()};
constexpr int kRowPad = 256;  // of the bias: a tile reads all of its rows

/// Padded grid: pixels per row and rows per image.
struct PaddedGrid {
  int row, image;
};
PaddedGrid grid_of(const ConvGeometry& g) {
  if (g.r * g.s == 1) return {g.q, g.p};  // no neighbours: output pixels, with strides
  const auto length = [](int in, int out, int pad, int reach) {
    return std::max({out, out + reach - pad, std::min(in + pad, out + reach)});
  };
  return {length(g.w, g.q, g.pad_w, (g.s - 1) * g.dilation_w), length(g.h, g.p, g.pad_h, (g.r - 1) * g.dilation_h)};
}

int steps_of(const ConvGeometry& g, Precision precision) {
  return (g.c * element_bytes(precision) + kStep - 1) / kStep;
}

int parts_of(const ConvGeometry& g, Precision precision, int depth) {
  return (steps_of(g, precision) + depth - 1) / depth;
}

/// Pixels of a patch: a tile's and their neighbours'.
int patch_of(const ConvGeometry& g, int columns) {
  const PaddedGrid grid = grid_of(g);
  return (columns + (g.r - 1) * g.dilation_h * grid.row + (g.s - 1) * g.dilation_w) | 1;
}

/// Sizes in bytes of a patch and of a stage of weights, and the number of stages that fit.
struct Buffers {
  int patch, stage, stages;
};
Buffers buffers_of(const ConvGeometry& g, Precision precision, const Variant& variant, int depth) {
  const int steps = (steps_of(g, precision) + parts_of(g, precision, depth) - 1) / parts_of(g, precision, depth);
  const int patch = round_up(steps * kStep * patch_of(g, variant.columns), 128), stage = steps * kStep * variant.rows;
  const int room = (variant.blocks == 1 ? kMostShared : kMostSharedOfTwo) - kBarrierBytes - kPatches * patch;
  return {patch, stage, std::min(kMostStages, room / stage)};
}

const Variant& variant_of(const WgmmaTile& tile) {
  for (const Variant& v : kVariants)
    if (v.rows == tile.rows && v.columns == tile.columns) return v;
  throw Error("conv_wgmma: no such tile");
}

std::size_t bias_at(const ConvGeometry& g, Precision precision) {
  return std::size_t(g.r) * g.s * steps_of(g, precision) * kStep * round_up(g.k, 8);
}

}  // namespace

std::vector<WgmmaTile> conv_wgmma_tiles(const ConvGeometry& g, Precision precision) {
  std::vector<WgmmaTile> tiles;
  const bool plain = !g.pre_relu && !g.pre_affine && (g.r * g.s == 1 || (g.stride_h == 1 && g.stride_w == 1));
  if (!plain || element_bytes(precision) * g.c < kChunk) return tiles;
  for (const Variant& v : kVariants) {
    if (v.rows >= 2 * round_up(g.k, 32) || patch_of(g, v.columns) >= 1 << 14) continue;
    for (int depth = kMostDepth; depth >= 1; --depth) {
      if (buffers_of(g, precision, v, depth).stages < 3) continue;
      tiles.push_back({v.rows, v.columns, depth});
      break;
    }
  }
  return tiles;
}

std::int64_t conv_wgmma_tile_count(const ConvGeometry& g, const WgmmaTile& tile) {
  const PaddedGrid grid = grid_of(g);
  const std::int64_t pixels = (std::int64_t{g.batch - 1} * grid.image + g.p - 1) * grid.row + g.q;
  return (pixels + tile.columns - 1) / tile.columns * ((g.k + tile.rows - 1) / tile.rows);
}

std::size_t conv_wgmma_weight_bytes(const ConvGeometry& g, Precision precision) {
  return bias_at(g, precision) + std::size_t(round_up(g.k, kRowPad) + kRowPad) * sizeof(float);
}

void conv_wgmma_pack(const ConvGeometry& g, Precision precision, const WgmmaTile& tile, const ConvWeights& weights,
                     std::byte* packed) {
  const bool half = precision == Precision::fp16;
  const int element = element_bytes(precision), per_chunk = kChunk / element, taps = g.r * g.s;
  const int steps = steps_of(g, precision), parts = parts_of(g, precision, tile.depth);
  const std::size_t row_count = round_up(g.k, 8);
  std::memset(packed, 0, conv_wgmma_weight_bytes(g, precision));
  for (int i = 0; i < parts; ++i) {
    const Part part = part_of(steps, parts, i);
    for (int t = 0; t < taps; ++t)
      for (int c = part.first * 2 * per_chunk; c < std::min(g.c, (part.first + part.steps) * 2 * per_chunk); ++c) {
        const int chunk = (part.first * taps + t * part.steps) * 2 + c / per_chunk - part.first * 2;
        for (int k = 0; k < g.k; ++k) {
          const float value = weights.weight[(std::size_t(k) * g.c + c) * taps + t];
          std::byte* to = packed + (chunk * row_count + k) * kChunk + c % per_chunk * element;
          if (half) {
            const __half h = __float2half(value);
            std::memcpy(to, &h, 2);
          } else {
            const float f = round_to_tf32(value);
            std::memcpy(to, &f, 4);
          }
        }
      }
  }
  std::memcpy(packed + bias_at(g, precision), weights.bias.data(), g.k * sizeof(float));
}

void conv_wgmma_launch(const ConvGeometry& g, Precision precision, const WgmmaTile& tile, int output_alignment,
                       const void* input, void* output, const void* packed, cudaStream_t stream) {
  const Variant& variant = variant_of(tile);
  const Buffers buffers = buffers_of(g, precision, variant, tile.depth);
  if (buffers.stages < 3) throw Error("conv_wgmma: the tile does not fit into shared memory");
  const PaddedGrid grid = grid_of(g);
  const std::int64_t tiles = conv_wgmma_tile_count(g, tile);
  const int widest = buffers.stage / (kChunk * variant.rows);  // chunks
  Params params{.g = g,
                .row = native::FastDiv(grid.row),
                .image = native::FastDiv(grid.image),
                .row_tiles = native::FastDiv((g.k + tile.rows - 1) / tile.rows),
                .tiles = static_cast<int>(tiles),
                .row_count = round_up(g.k, 8),
                .steps = steps_of(g, precision),
                .parts = parts_of(g, precision, tile.depth),
                .patch = patch_of(g, tile.columns),
                .stages = buffers.stages,
                .stage_bytes = buffers.stage,
                .patch_bytes = buffers.patch,
                .loader_shift = widest > 4   ? 3
                                : widest > 2 ? 2
                                             : 1,
                .input = static_cast<const char*>(input),
                .output = static_cast<char*>(output),
                .weights = static_cast<const char*>(packed),
                .bias = nullptr,
                .wide_output = output_alignment >= 8};
  params.bias = reinterpret_cast<const float*>(params.weights + bias_at(g, precision));
  auto* const function = variant.functions[precision == Precision::fp16 ? 1 : 0];
  OPSCHED_CUDA(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    variant.blocks == 1 ? kMostShared : kMostSharedOfTwo));
  int device = 0, multiprocessors = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(tiles, multiprocessors * variant.blocks));
  const std::size_t shared = kPatches * buffers.patch + buffers.stages * buffers.stage + kBarrierBytes;
  native::launch_overlapping(function, {dim3(blocks), dim3(threads_of(variant.blocks)), shared}, stream, params);
}

}  // namespace opsched
