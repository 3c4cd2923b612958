// Implicit matrix product with small tiles. The sum over input channels is split over the blocks of a cluster, because
// at batch 1 a convolution has too few output tiles to fill a large GPU. Large batches use large tiles, where each
// thread does more arithmetic per read.
#include "core/runtime/cuda/kernels/conv_simt.hpp"

#include <algorithm>
#include <climits>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/conv_simt_device.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched {
namespace {

using namespace simt;

using KernelFunction = void (*)(Params);

struct Variant {
  ConvTile tile;
  int threads, shared_bytes, affine_bytes;  ///< affine_bytes: shared memory with an affine layer
  KernelFunction plain, pre_relu, flat, affine, grouped;
  /// With a residual, without and with pre_relu. Kernels of their own: in the others, even a branch cost registers.
  KernelFunction residual[2];
};

template <int BM, int BN, int TM, int TN, int Slices>
Variant variant() {
  return {{BM, BN, 1},
          Slices * (BM / TM) * (BN / TN),
          shared_floats(BM, BN, Slices) * static_cast<int>(sizeof(float)),
          shared_floats(BM, BN, Slices, true) * static_cast<int>(sizeof(float)),
          conv_simt_kernel<BM, BN, TM, TN, Slices, Input::plain>,
          conv_simt_kernel<BM, BN, TM, TN, Slices, Input::pre_relu>,
          conv_simt_kernel<BM, BN, TM, TN, Slices, Input::flat>,
          conv_simt_kernel<BM, BN, TM, TN, Slices, Input::affine>,
          conv_simt_kernel<BM, BN, TM, TN, Slices, Input::grouped>,
          {conv_simt_kernel<BM, BN, TM, TN, Slices, Input::plain, true>,
           conv_simt_kernel<BM, BN, TM, TN, Slices, Input::pre_relu, true>}};
}

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {variant<16, 64, 4, 4, 4>(),   variant<16, 128, 4, 4, 1>(),
                                           variant<32, 32, 4, 4, 4>(),   variant<32, 64, 4, 4, 2>(),
                                           variant<32, 128, 8, 4, 1>(),  variant<64, 32, 8, 4, 4>(),
                                           variant<64, 64, 8, 8, 2>(),   variant<64, 128, 8, 8, 1>(),
                                           variant<96, 128, 12, 8, 1>(), variant<128, 64, 8, 8, 1>()};
  return all;
}

bool is_flat(const ConvGeometry& g) {
  const bool near = g.r * std::int64_t{g.dilation_h} < SHRT_MAX && g.s * std::int64_t{g.dilation_w} < SHRT_MAX;
  return g.c < kDepth && g.groups == 1 && !g.pre_relu && !g.pre_affine && !g.residual &&
         near;  // offsets of taps are stored as short
}

/// Rows of packed weights from one tap to the next.
int depth_of(const ConvGeometry& g) { return is_flat(g) ? g.c : round_up(g.c, kDepth); }

int steps_of(const ConvGeometry& g) { return round_up(g.r * g.s * depth_of(g), kDepth) / kDepth; }

/// Offset of the bias in packed weights, in floats.
std::size_t bias_at(const ConvGeometry& g) { return std::size_t(steps_of(g)) * kDepth * packed_rows(g, kRowPad); }

}  // namespace

std::vector<ConvTile> conv_simt_tiles() {
  std::vector<ConvTile> tiles;
  for (const Variant& v : variants()) tiles.push_back(v.tile);
  return tiles;
}

std::vector<int> conv_simt_splits(const ConvGeometry& g, const ConvTile& tile, int multiprocessors, bool clusters) {
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q;
  const std::int64_t blocks = (pixels + tile.columns - 1) / tile.columns * row_tiles(g, tile);
  std::vector<int> splits{1};
  // No gain from more blocks than fill the GPU a few times, or from less than four steps per block.
  for (int s = 2; clusters && s <= 8 && blocks * s <= 6 * multiprocessors && steps_of(g) >= 4 * s; s += s < 4 ? 1 : 2)
    splits.push_back(s);
  return splits;
}

std::size_t conv_simt_weight_bytes(const ConvGeometry& g) {
  return sizeof(float) * (bias_at(g) + packed_rows(g, kRowPad) + kMostRows + (g.pre_affine ? 2 * depth_of(g) : 0));
}

const char* conv_simt_weight_format(const ConvGeometry& g) { return is_flat(g) ? "simt flat" : "simt"; }

void conv_simt_pack(const ConvGeometry& g, const ConvWeights& weights, std::byte* packed) {
  const std::size_t rows = packed_rows(g, kRowPad), depth = depth_of(g);
  std::vector<float> all(conv_simt_weight_bytes(g) / sizeof(float), 0.f);
  const int taps = g.r * g.s;
  for (int k = 0; k < g.groups * g.k; ++k)
    for (int c = 0; c < g.c; ++c)
      for (int t = 0; t < taps; ++t)
        all[(t * depth + c) * rows + packed_row(g, kRowPad, k)] = weights.weight[(std::size_t(k) * g.c + c) * taps + t];
  for (int k = 0; k < g.groups * g.k; ++k) all[bias_at(g) + packed_row(g, kRowPad, k)] = weights.bias[k];
  float* const affine = all.data() + bias_at(g) + rows + kMostRows;
  for (int c = 0; g.pre_affine && c < g.c; ++c)
    affine[2 * c] = weights.input_factor[c], affine[2 * c + 1] = weights.input_bias[c];
  std::memcpy(packed, all.data(), all.size() * sizeof(float));
}

void conv_simt_launch(const ConvGeometry& g, const ConvTile& tile, const float* input, float* output,
                      const void* packed, cudaStream_t stream, const LaunchStyle& style, const ConvResidual& residual) {
  const auto chosen = std::ranges::find_if(
      variants(), [&](const Variant& v) { return v.tile.rows == tile.rows && v.tile.columns == tile.columns; });
  if (chosen == variants().end()) throw Error("conv_simt: no such tile");
  Params params{.g = g,
                .rows_padded = packed_rows(g, kRowPad),
                .depth_tiles = depth_of(g) / kDepth,
                .steps = steps_of(g),
                .row_end = g.s * g.dilation_w,
                .input = input,
                .output = output,
                .weights = static_cast<const float*>(packed),
                .bias = nullptr,
                .residual = static_cast<const float*>(residual.data)};
  params.bias = params.weights + bias_at(g);
  if (g.residual != (residual.data != nullptr)) throw Error("conv_simt: a residual without an address, or the reverse");
  if (g.residual && g.pre_affine) throw Error("conv_simt: no residual behind an affine layer");
  if (g.pre_affine && g.r * g.s > 1) throw Error("conv_simt: an affine layer needs a 1x1 window behind it");
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q;
  if (g.groups > 1 && (g.residual || g.pre_affine || g.pre_relu)) throw Error("conv_simt: groups with something fused");
  const KernelFunction function = is_flat(g)     ? chosen->flat
                                  : g.groups > 1 ? chosen->grouped
                                  : g.residual   ? chosen->residual[g.pre_relu ? 1 : 0]
                                  : g.pre_affine ? chosen->affine
                                  : g.pre_relu   ? chosen->pre_relu
                                                 : chosen->plain;
  const int tiles_bytes = g.pre_affine ? chosen->affine_bytes : chosen->shared_bytes;
  const int shared_bytes = tiles_bytes + (is_flat(g) ? params.steps * kDepth * static_cast<int>(sizeof(Summand)) : 0);
  native::allow_all_shared_memory(reinterpret_cast<const void*>(function));
  const dim3 blocks(static_cast<unsigned>((pixels + tile.columns - 1) / tile.columns), row_tiles(g, tile), tile.splits);
  native::launch_overlapping(
      function, {blocks, dim3(chosen->threads), static_cast<std::size_t>(shared_bytes), tile.splits, style}, stream,
      params);
}

}  // namespace opsched
