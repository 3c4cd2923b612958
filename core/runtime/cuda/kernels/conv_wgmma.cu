// Implicit matrix product on the tensor cores of sm_90, for problems that fill the GPU. At large batches, the traffic
// between the L2 cache and the multiprocessors limits convolutions that read their input once per tap. Here a block
// reads the pixels of a tile once, with their neighbours, into shared memory, and every tap is a shifted view of them.
//
// Pixels are numbered through a padded grid: rows of PaddedGrid::row pixels, images of PaddedGrid::image rows, one
// behind another, with the padding at the left and at the top. What a tap reads beyond the right or lower edge is the
// next row's or image's padding. Output pixel f reads pixel f + offset(tap), so a tile is a run of consecutive pixels.
// Outputs that only exist in the padded grid are computed and not stored. The tensor copy engine (TMA) loads whole rows
// of the grid, and fills padding with zeros.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/conv_wgmma.hpp"
#include "core/runtime/cuda/kernels/conv_wgmma_device.cuh"
#include "core/tf32.hpp"

namespace opsched {
namespace {

using namespace wgmma;

using Function = void (*)(CUtensorMap, Params);
using Functions = std::array<Function, 2>;  // without and with a residual; null if there are none

template <class Format, int BM, int BN, int Blocks>
constexpr Functions functions_of() {
  return {conv_wgmma_kernel<Format, BM, BN, Blocks, false>, conv_wgmma_kernel<Format, BM, BN, Blocks, true>};
}

struct Variant {
  int rows, columns, blocks;
  mma::PerFormat<Functions> functions;
};

template <int BM, int BN, int Blocks>
constexpr Variant variant() {
  return {BN, BM, Blocks, {functions_of<mma::Fp16, BM, BN, Blocks>(), functions_of<mma::Tf32, BM, BN, Blocks>(), {}}};
}
/// In tf32x3, products need registers next to the sums, so tiles are smaller.
template <int BM, int BN, int Blocks>
constexpr Variant variant_of_terms() {
  return {BN, BM, Blocks, {{}, {}, functions_of<mma::Tf32x3, BM, BN, Blocks>()}};
}

constexpr Variant kVariants[] = {
    variant<128, 32, 2>(),          variant<128, 64, 2>(),           variant<256, 64, 2>(),
    variant<128, 96, 2>(),          variant<128, 128, 2>(),          variant<256, 32, 1>(),
    variant<256, 64, 1>(),          variant<256, 96, 1>(),           variant<256, 128, 1>(),
    variant<256, 160, 1>(),         variant<256, 192, 1>(),          variant<128, 192, 1>(),
    variant<128, 256, 1>(),         variant_of_terms<128, 32, 2>(),  variant_of_terms<128, 64, 2>(),
    variant_of_terms<256, 64, 1>(), variant_of_terms<256, 96, 1>(),  variant_of_terms<256, 128, 1>(),
    variant_of_terms<128, 96, 1>(), variant_of_terms<128, 128, 1>(), variant_of_terms<128, 160, 1>()};
constexpr int kRowPad = 256;  // of the bias: a tile reads all of its rows

constexpr int kMostBox = 256;        // pixels: limit of tensor copies
constexpr int kCopyAlignment = 128;  // bytes: where a box may begin in shared memory
constexpr int kFlatRow = 64;

/// Are the images' pixels, without neighbours, one run of pixels in every tensor? Then its rows can have any length.
bool is_flat(const ConvGeometry& g) {
  return g.r * g.s == 1 && g.stride_h == 1 && g.stride_w == 1 && g.p == g.h && g.q == g.w && g.pad_h == 0 &&
         g.pad_w == 0 &&
         (g.batch == 1 || (g.in_stride_n == std::int64_t{g.h} * g.w * g.in_stride &&
                           g.out_stride_n == std::int64_t{g.p} * g.q * g.out_stride &&
                           (!g.residual || g.residual_stride_n == std::int64_t{g.p} * g.q * g.residual_stride)));
}

/// The pixels of the padded grid: `row` per row, and `image` rows per image.
struct PaddedGrid {
  ConvGeometry g;  ///< if flat: one image of one long row in, and many short ones out
  bool flat;
  int row, image;
};
PaddedGrid grid_of(ConvGeometry g, int depth) {
  if (is_flat(g)) {
    g.w *= g.h * g.batch, g.q = kFlatRow, g.p = (g.w + kFlatRow - 1) / kFlatRow;
    g.batch = g.h = 1;
    return {g, true, g.q, g.p};
  }
  const auto length = [](int in, int out, int pad, int reach) {
    return std::max({out, out + reach - pad, std::min(in + pad, out + reach)});
  };
  const int row = length(g.w, g.q, g.pad_w, (g.s - 1) * g.dilation_w);
  return {g, false, round_up(row, (row + kMostBox - 1) / kMostBox * (kCopyAlignment / pixel_bytes(depth))),
          length(g.h, g.p, g.pad_h, (g.r - 1) * g.dilation_h)};
}

/// In tf32x3 all parts have the same number of steps.
int steps_of(const ConvGeometry& g, Precision precision) {
  const int steps = (g.c * element_bytes(precision) + kStep - 1) / kStep;
  return precision == Precision::tf32x3 ? round_up(steps, kTermDepth) : steps;
}

/// Numbers that are stored for each weight. In tf32x3, behind the big terms of a stage's weights are the small ones.
int weight_terms(Precision precision) {
  return precision == Precision::tf32x3 ? mma::Tf32x3::kTerms : mma::Tf32::kTerms;
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
  const PaddedGrid grid = grid_of(g, depth);
  const std::int64_t reach = std::int64_t{g.r - 1} * g.dilation_h * grid.row + (g.s - 1) * g.dilation_w;
  const std::int64_t rows = (grid.row - 1 + variant.columns - 1 + reach) / grid.row + 1;  // at most
  const std::int64_t patch = round_up(rows * grid.row * pixel_bytes(depth), std::int64_t{1024});
  const int stage = steps * kStep * weight_terms(precision) * variant.rows;
  const std::int64_t room = (variant.blocks == 1 ? kMostShared : kMostSharedOfTwo) - kOtherBytes - kPatches * patch;
  return {static_cast<int>(patch), stage, static_cast<int>(std::clamp<std::int64_t>(room / stage, 0, kMostStages))};
}

const Variant& variant_of(const WgmmaTile& tile, Precision precision) {
  for (const Variant& v : kVariants)
    if (v.functions.in(precision)[0] && v.rows == tile.rows && v.columns == tile.columns && v.blocks == tile.blocks)
      return v;
  throw Error("conv_wgmma: no such tile");
}

/// The input as tensor copies read it: boxes of a patch's pixels of one row. `pixel_size`: bytes of a patch's pixel.
CUtensorMap tensor_map(const ConvGeometry& g, Precision precision, int pixel_size, int box, const void* input) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
  OPSCHED_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result));
#else
  OPSCHED_CUDA(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &found, cudaEnableDefault, &result));
#endif
  if (found == nullptr) throw Error("conv_wgmma: the driver has no tensor copies");
  const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(found);
  const auto element = static_cast<cuuint64_t>(element_bytes(precision));
  const cuuint64_t pixel = g.in_stride * element, row = g.w * pixel,
                   image = g.batch == 1 ? g.h * row : g.in_stride_n * element;
  const cuuint64_t extent[] = {cuuint64_t(g.c), cuuint64_t(g.w), cuuint64_t(g.h), cuuint64_t(g.batch)};
  const cuuint64_t strides[] = {pixel, row, image};
  const cuuint32_t box_extent[] = {static_cast<cuuint32_t>(pixel_size / element), static_cast<cuuint32_t>(box), 1, 1};
  const cuuint32_t steps[] = {1, 1, 1, 1};
  CUtensorMap map{};
  const CUresult encoded =
      encode(&map, precision == Precision::fp16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4,
             const_cast<void*>(input), extent, strides, box_extent, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             pixel_size == 64 ? CU_TENSOR_MAP_SWIZZLE_64B : CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (encoded != CUDA_SUCCESS) throw Error("conv_wgmma: the input cannot be described to tensor copies");
  return map;
}

std::size_t bias_at(const ConvGeometry& g, Precision precision) {
  return std::size_t(g.r) * g.s * steps_of(g, precision) * kStep * weight_terms(precision) * round_up(g.k, 8);
}

}  // namespace

std::vector<WgmmaTile> conv_wgmma_tiles(const ConvGeometry& g, Precision precision) {
  std::vector<WgmmaTile> tiles;
  const bool plain = !g.pre_relu && !g.pre_affine && g.stride_h == 1 && g.stride_w == 1 &&
                     (g.act.kind == Activation::none || g.act.kind == Activation::relu);
  if (!plain || element_bytes(precision) * g.c < kChunk) return tiles;
  if (std::int64_t{g.batch} * g.h * g.w > 1 << 28) return tiles;  // pixels, also of the padding, are numbered by int
  const bool windowed = g.r * g.s > 1;  // narrow pixels leave room for wide tiles with their neighbours
  for (const Variant& v : kVariants) {
    if (!v.functions.in(precision)[0] || v.rows >= 2 * round_up(g.k, 32)) continue;
    const bool terms = precision == Precision::tf32x3;
    for (const int most : {terms ? kTermDepth : kMostDepth, windowed ? 2 : 0})
      for (int depth = std::min(most, steps_of(g, precision)); depth >= (terms ? kTermDepth : 1); --depth) {
        const WgmmaTile tile{v.rows, v.columns, v.blocks, depth};
        if (buffers_of(g, precision, v, depth).stages < 3) continue;
        if (tiles.empty() || tiles.back() != tile) tiles.push_back(tile);
        break;
      }
  }
  return tiles;
}

std::int64_t conv_wgmma_tile_count(const ConvGeometry& g, const WgmmaTile& tile) {
  const PaddedGrid grid = grid_of(g, tile.depth);
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
        const int chunk =
            (part.first * taps + t * part.steps) * 2 * weight_terms(precision) + c / per_chunk - part.first * 2;
        for (int k = 0; k < g.k; ++k) {
          const float value = weights.weight[(std::size_t(k) * g.c + c) * taps + t];
          std::byte* to = packed + (chunk * row_count + k) * kChunk + c % per_chunk * element;
          if (half) {
            const __half h = __float2half(value);
            std::memcpy(to, &h, 2);
          } else {
            const Tf32Terms terms = tf32_terms(value);
            std::memcpy(to, &terms.big, 4);
            if (precision == Precision::tf32x3) std::memcpy(to + part.steps * 2 * row_count * kChunk, &terms.small, 4);
          }
        }
      }
  }
  std::memcpy(packed + bias_at(g, precision), weights.bias.data(), g.k * sizeof(float));
}

void conv_wgmma_launch(const ConvGeometry& g, Precision precision, const WgmmaTile& tile, int output_alignment,
                       const void* input, void* output, const void* packed, cudaStream_t stream,
                       const ConvResidual& residual) {
  if (g.residual != (residual.data != nullptr))
    throw Error("conv_wgmma: a residual without an address, or the reverse");
  const Variant& variant = variant_of(tile, precision);
  const Buffers buffers = buffers_of(g, precision, variant, tile.depth);
  if (buffers.stages < 3) throw Error("conv_wgmma: the tile does not fit into shared memory");
  if (precision == Precision::tf32x3 && tile.depth != kTermDepth) throw Error("conv_wgmma: no such depth in tf32x3");
  const PaddedGrid grid = grid_of(g, tile.depth);
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
                .pixel = pixel_bytes(tile.depth),
                .flat = grid.flat,
                .stages = buffers.stages,
                .stage_bytes = buffers.stage,
                .patch_bytes = buffers.patch,
                .output = static_cast<char*>(output),
                .weights = static_cast<const char*>(packed),
                .bias = nullptr,
                .wide_output = output_alignment >= 16 && (!g.residual || residual.alignment >= 16),
                .residual = static_cast<const char*>(residual.data)};
  params.bias = reinterpret_cast<const float*>(params.weights + bias_at(g, precision));
  auto* const function = variant.functions.in(precision)[g.residual ? 1 : 0];
  OPSCHED_CUDA(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    variant.blocks == 1 ? kMostShared : kMostSharedOfTwo));
  int device = 0, multiprocessors = 0;
  OPSCHED_CUDA(cudaGetDevice(&device));
  OPSCHED_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(tiles, multiprocessors * variant.blocks));
  const std::size_t shared = kPatches * buffers.patch + buffers.stages * buffers.stage + kOtherBytes;
  native::launch_overlapping(function, {dim3(blocks), dim3(threads_of(variant.blocks)), shared}, stream,
                             tensor_map(grid.g, precision, params.pixel, params.box, input), params);
}

}  // namespace opsched
