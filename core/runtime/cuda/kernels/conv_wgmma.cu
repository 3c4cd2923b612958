// Implicit matrix product on the tensor cores of sm_90, for problems that fill the GPU. At large batches, the traffic
// between the L2 cache and the multiprocessors limits convolutions that read their input once per tap. Here a block
// reads the pixels of a tile once, with their neighbours, into shared memory, and every tap is a shifted view of them.
//
// Pixels are numbered through a padded grid: rows of PaddedGrid::row pixels, images of PaddedGrid::image rows, one
// behind another, with the padding at the left and at the top. What a tap reads beyond the right or lower edge is the
// next row's or image's padding. Output pixel f reads pixel f + offset(tap), so a tile is a run of consecutive pixels.
// Outputs that only exist in the padded grid are computed and not stored. The tensor copy engine (TMA) loads whole rows
// of the grid, and fills padding with zeros.
#include <cuda.h>

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/async_barrier.cuh"
#include "core/runtime/cuda/kernels/conv_wgmma.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/wgmma.cuh"
#include "core/tf32.hpp"

namespace opsched {
namespace {

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
  bool wide_output;  // sixteen bytes can be stored at once
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
        std::uint64_t left = wgmma::swizzled(pixels + offset * kPixel);
        std::uint64_t right = wgmma::descriptor(shared.stages + stage.index * params.stage_bytes, N);
        native::barrier::await(shared.stage_full(stage.index), stage.parity);
        wgmma::open();
        for (int step = 0; step < steps; ++step, left += kStep / 16, right += 2 * N) {
#pragma unroll
          for (int m = 0; m < M; ++m) wgmma::Product<T, N>::add(sum[m], left + m * 64 * kPixel / 16, right);
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

/// Stores a warp's sums by slabs of 16 pixels x 32 channels, through shared memory, so that each thread stores sixteen
/// bytes. Short code matters here: with two warps per scheduler and no loop, instructions are fetched more slowly than
/// executed.
template <bool Relu, class T, int M, int N>
__device__ __forceinline__ void store_sums(const float (&sum)[M][N / 2], T* const (&out)[M][2], char* slab, int count,
                                           bool wide) {
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
        const uint4 bits = *reinterpret_cast<const uint4*>(from + below * 8 * kPitch + part * sizeof(T));
        const int channel = at + part + lane % 4 * kEach;
        if (out[m][below]) store(out[m][below] + channel, bits, count - channel, wide);
      }
    __syncwarp();
  }
}

/// Activates and stores a warp's sums.
template <class T, int M, int N>
__device__ __forceinline__ void finish(const float (&sum)[M][N / 2], const Params& params, char* slab, int first_pixel,
                                       int first_row) {
  T* out[M][2];
#pragma unroll
  for (int i = 0; i < 2 * M; ++i) {
    const int pixel = first_pixel + i / 2 * 64 + threadIdx.x % kGroup / 32 * 16 + i % 2 * 8 + threadIdx.x % 32 / 4;
    T* const at = output_of<T>(params, pixel);
    out[i / 2][i % 2] = at ? at + first_row : nullptr;
  }
  if (params.g.act.kind == Activation::relu)
    store_sums<true, T, M, N>(sum, out, slab, params.g.k - first_row, params.wide_output);
  else
    store_sums<false, T, M, N>(sum, out, slab, params.g.k - first_row, params.wide_output);
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

/// Blocks go through tiles of BM pixels x BN channels. One warp group loads, and two compute half of the pixels each.
/// `Blocks`: blocks per multiprocessor.
template <class T, int BM, int BN, int Blocks>
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
    if constexpr (Blocks == 1) wgmma::shrink_registers<40>();
    if (threadIdx.x == kConsumers) {
      native::await_predecessor();
      load_patches<T, BM>(input, params, shared);
    } else if (threadIdx.x / 32 == kConsumers / 32 + 1) {
      load_weights<BN>(params, shared);
    }
    native::release_successor();
  } else {
    if constexpr (Blocks == 1) wgmma::grow_registers<232>();
    const int first = threadIdx.x / kGroup * (BM / 2);
    char* const slab = memory + (shared.slabs - shared.patches) + threadIdx.x / 32 * kSlabBytes;
    Turn patch, stage;
    for (int tile = blockIdx.x; tile < params.tiles; tile += gridDim.x) {
      std::uint32_t at = tile;
      const int row = static_cast<int>(params.row_tiles.split(at)) * BN, pixel = static_cast<int>(at) * BM;
      std::uint32_t grid_row = pixel;
      const int begin = static_cast<int>(params.row.split(grid_row));  // in the patch
      float sum[M][BN / 2];
      start<M, BN>(sum, params.bias + row);
      multiply<T, M, BN>(sum, params, shared, begin + first, patch, stage);
      if (tile + gridDim.x >= params.tiles) native::release_successor();
      finish<T, M, BN>(sum, params, slab, pixel + first, row);
    }
  }
#endif
}

struct Variant {
  int rows, columns, blocks;
  void (*functions[2])(CUtensorMap, Params);  ///< tf32, fp16
};

template <int BM, int BN, int Blocks>
constexpr Variant variant() {
  return {BN, BM, Blocks, {conv_wgmma_kernel<float, BM, BN, Blocks>, conv_wgmma_kernel<__half, BM, BN, Blocks>}};
}

constexpr Variant kVariants[] = {variant<128, 64, 2>(),  variant<256, 64, 2>(),  variant<128, 96, 2>(),
                                 variant<128, 128, 2>(), variant<256, 32, 1>(),  variant<256, 64, 1>(),
                                 variant<256, 96, 1>(),  variant<256, 128, 1>(), variant<256, 160, 1>(),
                                 variant<256, 192, 1>(), variant<128, 192, 1>(), variant<128, 256, 1>()};
constexpr int kRowPad = 256;  // of the bias: a tile reads all of its rows

constexpr int kMostBox = 256;  // limit of tensor copies
constexpr int kFlatRow = 64;

/// Are the images' pixels, without neighbours, one run of pixels? Then its rows can have any length.
bool is_flat(const ConvGeometry& g) {
  return g.r * g.s == 1 && g.stride_h == 1 && g.stride_w == 1 && g.p == g.h && g.q == g.w && g.pad_h == 0 &&
         g.pad_w == 0 &&
         (g.batch == 1 || (g.in_stride_n == std::int64_t{g.h} * g.w * g.in_stride &&
                           g.out_stride_n == std::int64_t{g.p} * g.q * g.out_stride));
}

/// The pixels of the padded grid: `row` per row, and `image` rows per image.
struct PaddedGrid {
  ConvGeometry g;  ///< if flat: one image of one long row in, and many short ones out
  bool flat;
  int row, image;
};
PaddedGrid grid_of(ConvGeometry g) {
  if (is_flat(g)) {
    g.w *= g.h * g.batch, g.q = kFlatRow, g.p = (g.w + kFlatRow - 1) / kFlatRow;
    g.batch = g.h = 1;
    return {g, true, g.q, g.p};
  }
  const auto length = [](int in, int out, int pad, int reach) {
    return std::max({out, out + reach - pad, std::min(in + pad, out + reach)});
  };
  const int row = length(g.w, g.q, g.pad_w, (g.s - 1) * g.dilation_w);
  return {g, false, round_up(row, (row + kMostBox - 1) / kMostBox),
          length(g.h, g.p, g.pad_h, (g.r - 1) * g.dilation_h)};
}

int steps_of(const ConvGeometry& g, Precision precision) {
  return (g.c * element_bytes(precision) + kStep - 1) / kStep;
}

int parts_of(const ConvGeometry& g, Precision precision, int depth) {
  return (steps_of(g, precision) + depth - 1) / depth;
}

/// Sizes in bytes of a patch and of a stage of weights, and the number of stages that fit.
struct Buffers {
  int patch, stage, stages;
};
Buffers buffers_of(const ConvGeometry& g, Precision precision, const Variant& variant, int depth) {
  const int parts = parts_of(g, precision, depth), steps = (steps_of(g, precision) + parts - 1) / parts;
  const PaddedGrid grid = grid_of(g);
  const std::int64_t reach = std::int64_t{g.r - 1} * g.dilation_h * grid.row + (g.s - 1) * g.dilation_w;
  const std::int64_t rows = (grid.row - 1 + variant.columns - 1 + reach) / grid.row + 1;  // at most
  const std::int64_t patch = round_up(rows * grid.row * kPixel, std::int64_t{1024});
  const int stage = steps * kStep * variant.rows;
  const std::int64_t room = (variant.blocks == 1 ? kMostShared : kMostSharedOfTwo) - kOtherBytes - kPatches * patch;
  return {static_cast<int>(patch), stage, static_cast<int>(std::clamp<std::int64_t>(room / stage, 0, kMostStages))};
}

const Variant& variant_of(const WgmmaTile& tile) {
  for (const Variant& v : kVariants)
    if (v.rows == tile.rows && v.columns == tile.columns && v.blocks == tile.blocks) return v;
  throw Error("conv_wgmma: no such tile");
}

/// The input as tensor copies read it: boxes of a patch's pixels of one row.
CUtensorMap tensor_map(const ConvGeometry& g, Precision precision, int box, const void* input) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  OPSCHED_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result));
  const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(found);
  const auto element = static_cast<cuuint64_t>(element_bytes(precision));
  const cuuint64_t pixel = g.in_stride * element, row = g.w * pixel,
                   image = g.batch == 1 ? g.h * row : g.in_stride_n * element;
  const cuuint64_t extent[] = {cuuint64_t(g.c), cuuint64_t(g.w), cuuint64_t(g.h), cuuint64_t(g.batch)};
  const cuuint64_t strides[] = {pixel, row, image};
  const cuuint32_t box_extent[] = {static_cast<cuuint32_t>(kPixel / element), static_cast<cuuint32_t>(box), 1, 1};
  const cuuint32_t steps[] = {1, 1, 1, 1};
  CUtensorMap map{};
  const CUresult encoded =
      encode(&map, precision == Precision::fp16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4,
             const_cast<void*>(input), extent, strides, box_extent, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (encoded != CUDA_SUCCESS) throw Error("conv_wgmma: the input cannot be described to tensor copies");
  return map;
}

std::size_t bias_at(const ConvGeometry& g, Precision precision) {
  return std::size_t(g.r) * g.s * steps_of(g, precision) * kStep * round_up(g.k, 8);
}

}  // namespace

std::vector<WgmmaTile> conv_wgmma_tiles(const ConvGeometry& g, Precision precision) {
  std::vector<WgmmaTile> tiles;
  const bool plain = !g.pre_relu && !g.pre_affine && g.stride_h == 1 && g.stride_w == 1 &&
                     (g.act.kind == Activation::none || g.act.kind == Activation::relu);
  if (!plain || element_bytes(precision) * g.c < kChunk) return tiles;
  for (const Variant& v : kVariants) {
    if (v.rows >= 2 * round_up(g.k, 32)) continue;
    for (int depth = kMostDepth; depth >= 1; --depth) {
      if (buffers_of(g, precision, v, depth).stages < 3) continue;
      tiles.push_back({v.rows, v.columns, v.blocks, depth});
      break;
    }
  }
  return tiles;
}

std::int64_t conv_wgmma_tile_count(const ConvGeometry& g, const WgmmaTile& tile) {
  const PaddedGrid grid = grid_of(g);
  const std::int64_t pixels = (std::int64_t{grid.g.batch - 1} * grid.image + grid.g.p - 1) * grid.row + grid.g.q;
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
  const int boxes = (grid.flat ? 1 : (grid.row + kMostBox - 1) / kMostBox);
  Params params{.g = grid.g,
                .row = native::FastDiv(grid.row),
                .image = native::FastDiv(grid.image),
                .row_tiles = native::FastDiv((g.k + tile.rows - 1) / tile.rows),
                .tiles = static_cast<int>(tiles),
                .row_count = round_up(g.k, 8),
                .steps = steps_of(g, precision),
                .parts = parts_of(g, precision, tile.depth),
                .box = grid.row / boxes,
                .boxes = boxes,
                .image_pixels = grid.flat ? grid.g.w : g.p * g.q,
                .flat = grid.flat,
                .stages = buffers.stages,
                .stage_bytes = buffers.stage,
                .patch_bytes = buffers.patch,
                .output = static_cast<char*>(output),
                .weights = static_cast<const char*>(packed),
                .bias = nullptr,
                .wide_output = output_alignment >= 16};
  params.bias = reinterpret_cast<const float*>(params.weights + bias_at(g, precision));
  auto* const function = variant.functions[precision == Precision::fp16 ? 1 : 0];
  OPSCHED_CUDA(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    variant.blocks == 1 ? kMostShared : kMostSharedOfTwo));
  int device = 0, multiprocessors = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(tiles, multiprocessors * variant.blocks));
  const std::size_t shared = kPatches * buffers.patch + buffers.stages * buffers.stage + kOtherBytes;
  native::launch_overlapping(function, {dim3(blocks), dim3(threads_of(variant.blocks)), shared}, stream,
                             tensor_map(grid.g, precision, params.box, input), params);
}

}  // namespace opsched
