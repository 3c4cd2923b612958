// How a separable convolution is cut into blocks, and how its weights are packed.
#include <cuda_fp16.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/conv_mma.hpp"
#include "core/runtime/cuda/separable_args.hpp"

namespace opsched::native {
namespace {

/// Tiles by their warps: `warps_m` x `warps_n` of them, each with `warp_rows` pixels x 32 channels.
struct Shape {
  int warps_m, warps_n, warp_rows;
  int pixels() const { return warps_m * warp_rows; }
  int channels() const { return warps_n * kWarpColumns; }
};
constexpr std::array<Shape, 7> kShapes{
    {{2, 2, 16}, {2, 4, 16}, {1, 8, 32}, {4, 1, 16}, {4, 2, 16}, {2, 4, 32}, {4, 2, 32}}};

int ceil_div(int a, int b) { return (a + b - 1) / b; }
int aligned_bytes(int bytes) { return ceil_div(bytes, 128) * 128; }

int element_bytes(const SeparableGeometry& g) { return g.precision == Precision::fp16 ? 2 : 4; }
int depth(const SeparableGeometry& g) { return kPackBytes / element_bytes(g); }
int packs_of(const SeparableGeometry& g) { return ceil_div(g.window.c, depth(g)); }

/// The 1x1 convolution as conv_mma.hpp sees it; only what its weights depend on.
ConvGeometry pointwise(const SeparableGeometry& g) {
  ConvGeometry conv;
  conv.c = g.window.c;
  conv.k = g.outputs;
  return conv;
}

/// The rectangle of at most `pixels` that covers the output with the fewest tiles, then with the
/// smallest window.
void cut(const Window& g, int pixels, SeparablePlan& plan) {
  long best_tiles = 0, best_window = 0;
  for (int width = 1; width <= std::min(g.ow, pixels); ++width) {
    const int tiles_x = ceil_div(g.ow, width);
    if (ceil_div(g.ow, tiles_x) != width) continue;  // a narrower one gives as many tiles
    const int tiles_y = ceil_div(g.oh, std::min(g.oh, pixels / width)), height = ceil_div(g.oh, tiles_y);
    const int strips = ceil_div(width, kStrip);
    const int window_h = (height - 1) * g.sh + g.kh, window_w = (strips * kStrip - 1) * g.sw + g.kw;
    const long tiles = static_cast<long>(tiles_x) * tiles_y, window = static_cast<long>(window_h) * window_w;
    if (best_tiles > 0 && (tiles > best_tiles || (tiles == best_tiles && window >= best_window))) continue;
    best_tiles = tiles, best_window = window;
    plan.tile_h = height, plan.tile_w = width;
    plan.tiles_y = tiles_y, plan.tiles_x = tiles_x;
    plan.strips_x = strips;
    plan.window_h = window_h, plan.window_w = window_w;
  }
}

/// Shared memory with `chunk` packs at a time and `turn` packs between barriers.
int place(const SeparableGeometry& g, int rows, int columns, int chunk, int turn, SeparablePlan& plan) {
  plan.left = 0;
  plan.window_at = plan.left + chunk * rows * kPackBytes;
  plan.taps_at = plan.window_at + aligned_bytes(plan.window_h * plan.window_w * chunk * kPackBytes);
  plan.bias_at = plan.taps_at + aligned_bytes(chunk * g.window.kh * g.window.kw * kPackBytes);
  plan.ring_at = plan.bias_at + aligned_bytes(chunk * depth(g) * static_cast<int>(sizeof(float)));
  const int partial = rows * (columns + 4) * static_cast<int>(sizeof(float));
  return std::max(partial, plan.ring_at + kRing * turn * columns * kPackBytes);
}

// Rules of thumb in clocks of a multiprocessor. They only choose what is measured.
constexpr double kStartClocks = 3000;      // of a launch, until the first data are there
constexpr double kTurnClocks = 250;        // a barrier, and what waits for it
constexpr double kClusterClocks = 1500;    // its two barriers
constexpr double kBytesPerClock = 32;      // from the second-level cache
constexpr double kTapsPerClock = 40;       // multiplications of depthwise convolutions in tf32; twice that in fp16
constexpr double kProductsPerClock = 300;  // of the matrix units, likewise
constexpr double kNoBetter = 1.25;         // times the work of two kernels in turn: the rule may be that wrong
constexpr std::size_t kPromising = 8;

/// To read so many bytes, do depthwise convolutions for so many channels of pixels, and multiply.
double work_clocks(const SeparableGeometry& g, double bytes, double channels, double products) {
  const double math = channels * g.window.kh * g.window.kw / kTapsPerClock + products / kProductsPerClock;
  return bytes / kBytesPerClock + (g.precision == Precision::fp16 ? math / 2 : math);
}

/// Of two kernels in turn, each channel of a pixel computed once, with tiles of 128 x 64.
double pair_work(const SeparableGeometry& g) {
  const Window& w = g.window;
  const double packs = packs_of(g), pixels = double{1} * w.n * w.oh * w.ow, input = double{1} * w.n * w.h * w.w;
  const double reads = input + pixels + pixels * (1 + g.outputs / 64. + g.outputs / 128.);
  return work_clocks(g, packs * kPackBytes * reads, pixels * packs * depth(g), pixels * packs * depth(g) * g.outputs);
}

struct Estimate {
  double work = 0, latency = 0;  ///< clocks: of all blocks together; of the launch
};

Estimate estimate(const SeparableGeometry& g, const SeparableTile& tile, const SeparablePlan& plan,
                  int multiprocessors) {
  const int slice = ceil_div(plan.packs, tile.splits), columns = ceil_div(g.outputs, tile.channels);
  const double blocks = double{1} * g.window.n * plan.tiles_x * plan.tiles_y * columns * tile.splits;
  const double window = double{1} * plan.window_h * plan.window_w, pixels = plan.tile_h * kStrip * plan.strips_x;
  const double outputs = ceil_div(g.outputs, kWarpColumns) * double{kWarpColumns} / columns;  // warps beyond do nothing
  const double area = tile.pixels * outputs, channels = slice * double{1} * depth(g);
  const double block = work_clocks(g, slice * kPackBytes * (window + outputs) + area * sizeof(float), pixels * channels,
                                   area * channels);
  const double waits = kTurnClocks * (ceil_div(slice, plan.turn_packs) + 2) + (tile.splits > 1 ? kClusterClocks : 0);
  // Two blocks share a multiprocessor: they wait side by side, but take turns at the units.
  return {blocks * block, kStartClocks + std::ceil(blocks / multiprocessors) * block +
                              std::ceil(blocks / (2 * multiprocessors)) * waits};
}

}  // namespace

bool supports(const SeparableGeometry& g) {
  const Window& w = g.window;
  return g.precision != Precision::fp32 && w.kh == w.kw && w.sh == w.sw && (w.kh == 3 || w.kh == 5 || w.kh == 7) &&
         (w.sh == 1 || w.sh == 2);
}

std::optional<SeparablePlan> plan_separable(const SeparableGeometry& g, const SeparableTile& tile, int shared_bytes) {
  const auto shape = std::ranges::find_if(
      kShapes, [&](const Shape& s) { return s.pixels() == tile.pixels && s.channels() == tile.channels; });
  const int packs = packs_of(g);
  if (!supports(g) || shape == kShapes.end() || tile.splits < 1 || tile.splits > std::min(packs, 8)) return {};
  SeparablePlan plan;
  plan.packs = packs;
  plan.warps_m = shape->warps_m;
  plan.warp_rows = shape->warp_rows;
  plan.threads = 32 * shape->warps_m * shape->warps_n;
  cut(g.window, tile.pixels, plan);
  // Two blocks fit on a multiprocessor; each also takes 1 KiB for itself.
  const int limit = (shared_bytes + 1024) / 2 - 1024;
  const int slice = ceil_div(packs, tile.splits);
  const auto fits = [&](int turn, int turns) {
    plan.turn_packs = turn;
    plan.chunk_turns = turns;
    plan.shared_bytes = place(g, tile.pixels, tile.channels, std::min(slice, turn * turns), turn, plan);
    return plan.shared_bytes <= limit;
  };
  // Best is the whole slice in one chunk with all its weights on their way.
  const int most = std::clamp(ceil_div(slice, kRing), 1, 4);
  for (int turn = most; turn >= 1; --turn)
    if (fits(turn, ceil_div(slice, turn))) return plan;
  for (int turn = std::min(most, 2); turn >= 1; --turn)
    for (int turns = ceil_div(slice, turn) - 1; turns >= 1; --turns)
      if (fits(turn, turns)) return plan;
  return {};
}

std::vector<SeparableTile> separable_tiles(const SeparableGeometry& g, bool clusters, int shared_bytes) {
  std::vector<SeparableTile> tiles;
  for (const Shape& shape : kShapes) {
    SeparableTile tile{shape.pixels(), shape.channels(), 1};
    if (shape.warps_n > 1 && tile.channels >= 2 * g.outputs) continue;
    for (int splits : {1, 2, 3, 4, 6, 8}) {
      if (splits > 1 && (!clusters || packs_of(g) < 2 * splits)) break;
      tile.splits = splits;
      if (plan_separable(g, tile, shared_bytes)) tiles.push_back(tile);
    }
  }
  return tiles;
}

std::vector<SeparableTile> promising_tiles(const SeparableGeometry& g, int multiprocessors, bool clusters,
                                           int shared_bytes) {
  // More work than two kernels in turn must not take longer than what it saves, a launch.
  const double most = kNoBetter * (pair_work(g) + kStartClocks * multiprocessors);
  std::vector<std::pair<double, SeparableTile>> ranked;
  for (const SeparableTile& tile : separable_tiles(g, clusters, shared_bytes)) {
    const Estimate e = estimate(g, tile, *plan_separable(g, tile, shared_bytes), multiprocessors);
    if (e.work <= most) ranked.emplace_back(e.latency, tile);
  }
  std::ranges::stable_sort(ranked, {}, &std::pair<double, SeparableTile>::first);
  if (ranked.size() > kPromising) ranked.resize(kPromising);
  std::vector<SeparableTile> tiles;
  for (const auto& [clocks, tile] : ranked) tiles.push_back(tile);
  return tiles;
}

std::size_t separable_weight_bytes(const SeparableGeometry& g) {
  const std::size_t taps = std::size_t(g.window.kh) * g.window.kw;
  return conv_mma_weight_bytes(pointwise(g), g.precision) +
         std::size_t(packs_of(g)) * (taps * kPackBytes + depth(g) * sizeof(float));
}

std::vector<std::byte> pack_separable(const SeparableGeometry& g, const ConvWeights& depthwise,
                                      const ConvWeights& pointwise_weights) {
  std::vector<std::byte> packed(separable_weight_bytes(g));
  conv_mma_pack(pointwise(g), g.precision, pointwise_weights.weight.data(), pointwise_weights.bias.data(),
                packed.data());
  const int taps = g.window.kh * g.window.kw, channels = depth(g);
  std::byte* to = packed.data() + conv_mma_weight_bytes(pointwise(g), g.precision);
  for (int c = 0; c < g.window.c; ++c)
    for (int t = 0; t < taps; ++t) {
      const float value = depthwise.weight[std::size_t(c) * taps + t];
      const std::size_t at = (std::size_t(c / channels) * taps + t) * channels + c % channels;
      if (g.precision == Precision::fp16) {
        const __half h = __float2half(value);
        std::memcpy(to + at * 2, &h, 2);
      } else {
        std::memcpy(to + at * 4, &value, 4);
      }
    }
  std::memcpy(to + std::size_t(packs_of(g)) * taps * kPackBytes, depthwise.bias.data(), g.window.c * sizeof(float));
  return packed;
}

void separable(cudaStream_t stream, const SeparableGeometry& g, const SeparableTile& tile, const SeparablePlan& plan,
               int vector, bool wide_output, const Sources& sources, const void* packed, void* out,
               std::int64_t out_stride) {
  SeparableArgs args{};
  args.sources = sources;
  args.window = g.window;
  args.plan = plan;
  args.outputs = g.outputs;
  args.rows_padded = ceil_div(g.outputs, kConvMmaRowPad) * kConvMmaRowPad;
  args.vector = vector;
  args.pre = g.pre, args.middle = g.middle, args.post = g.post;
  args.wide_output = wide_output;
  args.weights = static_cast<const char*>(packed);
  args.bias = reinterpret_cast<const float*>(args.weights + std::size_t(args.rows_padded) * plan.packs * kPackBytes);
  args.taps = args.weights + conv_mma_weight_bytes(pointwise(g), g.precision);
  args.taps_bias =
      reinterpret_cast<const float*>(args.taps + std::size_t(plan.packs) * g.window.kh * g.window.kw * kPackBytes);
  args.out = static_cast<char*>(out);
  args.out_stride = out_stride;
  (g.precision == Precision::fp16 ? launch_separable<__half> : launch_separable<float>)(stream, tile, args);
}

}  // namespace opsched::native
