// Implicit matrix product on the tensor cores. Tiles are small, and the sum over input channels is split over the
// blocks of a cluster: at batch 1 a convolution has too few output tiles to fill a large GPU.
#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/cluster_sum.cuh"
#include "core/runtime/cuda/kernels/conv_mma.hpp"
#include "core/runtime/cuda/kernels/conv_mma_device.cuh"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/mma_tile.cuh"
#include "core/tf32.hpp"

namespace opsched {
namespace {

using mma::chunk_at, mma::kChunks, mma::kRowBytes;  // a tile step reads, for each row, channels of one tap

constexpr int kStages = 4;    // tile steps in flight
constexpr int kRowPad = 128;  // every tile height divides it

struct Params {
  ConvGeometry g;
  int rows_padded, depth_tiles, steps;  // steps: taps * depth_tiles
  int row_end;                          // dilated extent of a row of taps
  const char* input;
  char* output;
  const char* weights;
  const float* bias;
  bool wide_output;  // four channels can be stored at once
  const char* residual;
  bool wide_residual;  // and loaded
};

/// Size in bytes of the factors and biases of that many channels.
constexpr int affine_bytes(int channels) { return channels * static_cast<int>(sizeof(AffineOf)); }
/// Factors and biases of all steps; they are stored after the bias.
__device__ __forceinline__ const char* affine_of(const Params& params) {
  return reinterpret_cast<const char*>(params.bias + params.rows_padded);
}

constexpr int pitch_of(int columns) { return columns + 4; }  // row pitch of a partial tile, in floats

/// Bytes of all teams' partial tiles; data from other blocks follows.
constexpr int partial_bytes(int rows, int columns, int slices) { return slices * rows * pitch_of(columns) * 4; }

/// Computes a tile of BM pixels x BN output channels with WM x WN warps in a format of mma_tile.cuh, and fetches
/// `Vector` bytes at a time. `Slices` teams of WM x WN warps alternate steps, each with its own partial tile: more
/// warps hide more latency. `Affine`: the factors and biases of a step's channels follow its weights. `Grouped`: the
/// rows of blocks are those of all groups.
template <class Format, int BM, int BN, int WM, int WN, int Slices, int Vector, bool Affine = false,
          bool Residual = false, bool Grouped = false>
__global__ void __launch_bounds__(Slices* WM* WN * 32) conv_mma_kernel(const Params params) {
  constexpr int kTeam = WM * WN * 32, kThreads = Slices * kTeam;
  constexpr int kTileM = BM / WM, kTileN = BN / WN;  // per warp
  constexpr int kFetches = BM * kChunks / kTeam;     // input chunks that a thread fetches per step
  using T = typename Format::Stored;
  constexpr int kElement = sizeof(T), kDepth = kRowBytes / kElement;
  constexpr int kAffineBytes = Affine ? affine_bytes(kDepth) : 0, kTileBytes = (BM + BN) * kRowBytes + kAffineBytes;
  constexpr int kParts = BM * BN / 4 / kThreads;  // parts of the tile per thread, four channels each
  static_assert(kTileM % 16 == 0 && kTileN % 16 == 0 && BM * kChunks % kTeam == 0 && kParts * kThreads * 4 == BM * BN);
  extern __shared__ __align__(128) char memory[];
  __shared__ std::uint64_t counter;

  const ConvGeometry& g = params.g;
  const int slice = threadIdx.x / kTeam, tid = threadIdx.x % kTeam, warp = tid / 32;
  const int pixels = g.batch * g.p * g.q;
  const int first_pixel = blockIdx.x * BM;
  int group = 0, first_row = blockIdx.y * BN, packed_row = first_row;  // packed: of the weights of all groups
  if constexpr (Grouped) {
    const int tiles = (g.k + BN - 1) / BN;
    group = blockIdx.y / tiles;
    first_row -= group * tiles * BN;
    packed_row = group * (params.rows_padded / g.groups) + first_row;
  }
  const int split = blockIdx.z, splits = gridDim.z;

  native::ClusterSum<kParts, kThreads>::open(counter, split, splits);

  // The pixels whose inputs this thread fetches.
  const int chunk = tid % kChunks;
  int top[kFetches], left[kFetches];
  const char* corner[kFetches];
#pragma unroll
  for (int i = 0; i < kFetches; ++i) {
    const int pixel = first_pixel + tid / kChunks + i * (kTeam / kChunks);
    const int image = pixel / (g.p * g.q), at = pixel % (g.p * g.q);
    top[i] = pixel < pixels ? (at / g.q) * g.stride_h - g.pad_h : -(1 << 29);
    left[i] = (at % g.q) * g.stride_w - g.pad_w;
    corner[i] = params.input +
                kElement * (image * g.in_stride_n + (static_cast<std::int64_t>(top[i]) * g.w + left[i]) * g.in_stride);
    if constexpr (Grouped) corner[i] += kElement * group * g.c;
  }

  // This team's steps: begin, begin + Slices, ...
  const int first_step = static_cast<int>(static_cast<std::int64_t>(params.steps) * split / splits);
  const int end = static_cast<int>(static_cast<std::int64_t>(params.steps) * (split + 1) / splits);
  const int turns = (end - first_step + Slices - 1) / Slices, begin = first_step + slice;

  const unsigned stages = native::shared_address(memory) + slice * kTileBytes;
  constexpr int kStageBytes = Slices * kTileBytes;  // distance between a team's stages
  const auto fetch_weights = [&](int turn) {
    const int step = begin + turn * Slices;
    if (step >= end) return;
    const unsigned b = stages + turn % kStages * kStageBytes + BM * kRowBytes;
    const char* weights =
        params.weights + (static_cast<std::int64_t>(step) * params.rows_padded + packed_row) * kRowBytes;
#pragma unroll
    for (int i = tid; i < BN * kChunks; i += kTeam)
      native::copy_async<16>(b + chunk_at(i / kChunks, i % kChunks), weights + i * 16);
    if constexpr (Affine)  // 1x1 convolution: the step is also the index of its part of the channels
      for (int i = tid * 16; i < kAffineBytes; i += kTeam * 16)
        native::copy_async<16>(b + BN * kRowBytes + i, affine_of(params) + step * kAffineBytes + i);
  };
  // Position of the next step: its tap, as offset (r, s) from the window's corner, and its part of the channels. Steps
  // are visited in order, so no division is needed.
  int r = begin / params.depth_tiles / g.s, s = begin / params.depth_tiles - r * g.s;
  r *= g.dilation_h, s *= g.dilation_w;
  int part = begin % params.depth_tiles;
  const auto fetch_input = [&](int turn) {
    if (begin + turn * Slices >= end) return;
    const unsigned a = stages + turn % kStages * kStageBytes + chunk_at(tid / kChunks, chunk);
    const int depth = part * kDepth + chunk * (16 / kElement);
    const std::int64_t offset = kElement * ((static_cast<std::int64_t>(r) * g.w + s) * g.in_stride + depth);
#pragma unroll
    for (int i = 0; i < kFetches; ++i) {
      const bool valid = static_cast<unsigned>(top[i] + r) < static_cast<unsigned>(g.h) &&
                         static_cast<unsigned>(left[i] + s) < static_cast<unsigned>(g.w);
#pragma unroll
      for (int j = 0; j < 16; j += Vector) {
        // The last vector of a pixel may hold fewer channels than fit: the rest is filled with zeros.
        const int left_bytes = (g.c - depth) * kElement - j;
        native::copy_async<Vector>(a + i * (kTeam / kChunks) * kRowBytes + j, corner[i] + offset + j,
                                   valid ? max(0, min(Vector, left_bytes)) : 0);
      }
    }
    for (part += Slices; part >= params.depth_tiles; part -= params.depth_tiles)
      if ((s += g.dilation_w) == params.row_end) s = 0, r += g.dilation_h;
  };

  const int warp_m = warp % WM * kTileM, warp_n = warp / WM * kTileN;
  float sum[kTileM / 16][kTileN / 8][4] = {};
  // Weights may be fetched before the predecessor has ended: those of all steps into the cache, those of the first
  // steps into shared memory.
  if (blockIdx.x == 0)
    native::prefetch(
        params.weights + (static_cast<std::int64_t>(first_step) * params.rows_padded + packed_row) * kRowBytes,
        end - first_step, static_cast<std::int64_t>(params.rows_padded) * kRowBytes, BN * kRowBytes);
  for (int i = 0; i < kStages - 1; ++i) fetch_weights(i);
  native::await_predecessor();
  for (int i = 0; i < kStages - 1; ++i) {
    fetch_input(i);
    native::close_copies();
  }
  const mma::Reader left_reader(warp_m, true), right_reader(BM + warp_n, false);
  for (int turn = 0; turn < turns; ++turn) {
    native::await_copies<kStages - 2>();
    __syncthreads();
    fetch_weights(turn + kStages - 1);
    fetch_input(turn + kStages - 1);
    native::close_copies();
    if (begin + turn * Slices >= end) continue;
    const unsigned stage = stages + turn % kStages * kStageBytes;
#pragma unroll
    for (int k = 0; k < kChunks; k += 2) {
      unsigned left_side[kTileM / 16][4], right_side[kTileN / 16][4];
#pragma unroll
      for (int i = 0; i < kTileM / 16; ++i) left_reader.load(left_side[i], stage, i * 16, k);
#pragma unroll
      for (int i = 0; i < kTileN / 16; ++i) right_reader.load(right_side[i], stage, i * 16, k);
      if constexpr (Affine)
        prepare_affine(left_side,
                       reinterpret_cast<const AffineOf*>(memory + slice * kTileBytes + turn % kStages * kStageBytes +
                                                         (BM + BN) * kRowBytes),
                       k, g.pre_relu ? 0.f : -INFINITY, Format{});
      else
        prepare_all(left_side, g.pre_relu, Format{});
      mma::multiply_all(sum, left_side, right_side, Format{});
    }
  }

  native::release_successor();
  // Every team stores its partial tile in shared memory. The block that finishes a part of the tile receives that
  // part's sums.
  constexpr int kPitch = pitch_of(BN);
  float* partial = reinterpret_cast<float*>(memory);
  native::await_copies<0>();
  __syncthreads();
  const native::ClusterSum<kParts, kThreads> shared_sum(
      counter, reinterpret_cast<float4*>(memory + partial_bytes(BM, BN, Slices)), split, splits);
  shared_sum.ready();
  mma::store_product(sum, partial + (slice * BM + warp_m) * kPitch + warp_n, kPitch);
  __syncthreads();
  const auto sum_of_teams = [&](int part) {
    const int i = part * kThreads + threadIdx.x, m = i / (BN / 4), n = i % (BN / 4) * 4;
    float4 value = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
    for (int team = 0; team < Slices; ++team)
      native::add(value, *reinterpret_cast<const float4*>(partial + (team * BM + m) * kPitch + n));
    return value;
  };
  if (splits > 1) shared_sum.exchange(sum_of_teams);
  for (int part = split; part < kParts; part += splits) {
    const int i = part * kThreads + threadIdx.x, m = i / (BN / 4), n = i % (BN / 4) * 4;
    float4 value = make_float4(0.f, 0.f, 0.f, 0.f);
    if (splits == 1) value = sum_of_teams(part);
    for (int other = 0; splits > 1 && other < splits; ++other)
      native::add(value, shared_sum.chunk_of(part, other)[threadIdx.x]);
    const int row = first_row + n, pixel = first_pixel + m;
    if (row >= g.k || pixel >= pixels) continue;
    const float4 bias = *reinterpret_cast<const float4*>(params.bias + packed_row + n);  // padded
    float result[4] = {value.x + bias.x, value.y + bias.y, value.z + bias.z, value.w + bias.w};
    native::activate_light(g.act, result);
    const int image = pixel / (g.p * g.q);
    const std::int64_t at = pixel - image * g.p * g.q;
    if constexpr (Residual)
      native::add_residual(
          result,
          reinterpret_cast<const T*>(params.residual) + image * g.residual_stride_n + at * g.residual_stride + row,
          g.k - row, params.wide_residual, g.post_relu);
    T* out = reinterpret_cast<T*>(params.output) + image * g.out_stride_n + at * g.out_stride + row;
    if constexpr (Grouped) out += group * g.k;
    mma::store_four(out, result, g.k - row, params.wide_output);
  }
}

constexpr int kMostSplits = 8;

/// A variant's kernels in one format. All but `by_width` fetch 16 bytes at a time.
struct Functions {
  void (*by_width[3])(Params);  ///< 4, 8, 16 bytes at a time
  void (*affine)(Params);       ///< with an affine layer in front; may be null
  void (*residual)(Params);     ///< a kernel of its own: in the others, even a branch cost registers
  void (*grouped)(Params);      ///< several groups
};

/// `Affine`: also instantiate the kernel for use behind an affine layer.
template <class Format, int BM, int BN, int WM, int WN, int Slices, bool Affine>
Functions functions_of() {
  Functions f{{conv_mma_kernel<Format, BM, BN, WM, WN, Slices, 4>, conv_mma_kernel<Format, BM, BN, WM, WN, Slices, 8>,
               conv_mma_kernel<Format, BM, BN, WM, WN, Slices, 16>},
              nullptr,
              conv_mma_kernel<Format, BM, BN, WM, WN, Slices, 16, false, true>,
              conv_mma_kernel<Format, BM, BN, WM, WN, Slices, 16, false, false, true>};
  if constexpr (Affine) f.affine = conv_mma_kernel<Format, BM, BN, WM, WN, Slices, 16, true>;
  return f;
}

struct Variant {
  ConvTile tile;
  int threads;
  int shared_bytes[kMostSplits + 1];  ///< by splits
  int affine_bytes;                   ///< additional shared memory behind an affine layer
  mma::PerFormat<Functions> functions;
};

template <int BM, int BN, int WM, int WN, int Slices, bool Affine>
Variant variant() {
  constexpr int kThreads = Slices * WM * WN * 32;
  Variant v{{BN, BM, 1},
            kThreads,
            {},
            kStages * Slices * affine_bytes(kRowBytes / 2),
            {functions_of<mma::Fp16, BM, BN, WM, WN, Slices, Affine>(),
             functions_of<mma::Tf32, BM, BN, WM, WN, Slices, Affine>(),
             functions_of<mma::Tf32x3, BM, BN, WM, WN, Slices, Affine>()}};
  const int pipeline = kStages * Slices * (BM + BN) * kRowBytes, partial = partial_bytes(BM, BN, Slices);
  for (int splits = 1; splits <= kMostSplits; ++splits) {
    const int received = splits > 1 ? native::ClusterSum<BM * BN / 4 / kThreads, kThreads>::received_bytes(splits) : 0;
    v.shared_bytes[splits] = std::max(pipeline, partial + received);
  }
  return v;
}

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {variant<32, 32, 2, 1, 4, true>(),  variant<64, 32, 2, 2, 2, true>(),
                                           variant<32, 64, 2, 2, 2, true>(),  variant<64, 64, 2, 2, 2, true>(),
                                           variant<128, 64, 4, 2, 1, true>(), variant<128, 128, 4, 2, 1, false>()};
  return all;
}

int depth_of(Precision precision) { return kRowBytes / (precision == Precision::fp16 ? 2 : 4); }

int steps_of(const ConvGeometry& g, Precision precision) {
  const int depth = depth_of(precision);
  return g.r * g.s * (round_up(g.c, depth) / depth);
}

/// Offset of the bias in packed weights.
std::size_t bias_at(const ConvGeometry& g, Precision precision) {
  return std::size_t(packed_rows(g, kRowPad)) * steps_of(g, precision) * kRowBytes;
}

}  // namespace

std::vector<ConvTile> conv_mma_tiles(bool affine) {
  std::vector<ConvTile> tiles;
  for (const Variant& v : variants())
    if (!affine || v.functions.fp16.affine) tiles.push_back(v.tile);
  return tiles;
}

std::vector<int> conv_mma_splits(const ConvGeometry& g, const ConvTile& tile, Precision precision, int multiprocessors,
                                 bool clusters) {
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q;
  const std::int64_t blocks = (pixels + tile.columns - 1) / tile.columns * row_tiles(g, tile);
  std::vector<int> splits{1};
  // No gain from more blocks than fill the GPU a few times, or from less than four steps per block.
  for (int s = 2; clusters && s <= kMostSplits && blocks * s <= 6 * multiprocessors && steps_of(g, precision) >= 4 * s;
       s += s < 4 ? 1 : 2)
    splits.push_back(s);
  return splits;
}

std::size_t conv_mma_weight_bytes(const ConvGeometry& g, Precision precision) {
  const std::size_t affine = g.pre_affine ? affine_bytes(round_up(g.c, depth_of(precision))) : 0;
  return bias_at(g, precision) + std::size_t(packed_rows(g, kRowPad)) * sizeof(float) + affine;
}

void conv_mma_pack(const ConvGeometry& g, Precision precision, const ConvWeights& weights, std::byte* packed) {
  const bool half = precision == Precision::fp16;
  const std::size_t rows = packed_rows(g, kRowPad), depth = depth_of(precision), tiles = (g.c + depth - 1) / depth;
  const int taps = g.r * g.s;
  std::memset(packed, 0, conv_mma_weight_bytes(g, precision));
  for (int k = 0; k < g.groups * g.k; ++k)
    for (int c = 0; c < g.c; ++c)
      for (int t = 0; t < taps; ++t) {
        const float value = weights.weight[(std::size_t(k) * g.c + c) * taps + t];
        std::byte* row = packed + ((t * tiles + c / depth) * rows + packed_row(g, kRowPad, k)) * kRowBytes;
        if (half) {
          const __half h = __float2half(value);
          std::memcpy(row + c % depth * 2, &h, 2);
        } else {
          const float f = precision == Precision::tf32 ? round_to_tf32(value) : value;
          std::memcpy(row + c % depth * 4, &f, 4);
        }
      }
  packed += bias_at(g, precision);
  for (int k = 0; k < g.groups * g.k; ++k)
    std::memcpy(packed + packed_row(g, kRowPad, k) * sizeof(float), &weights.bias[k], sizeof(float));
  packed += rows * sizeof(float);
  for (int c = 0; g.pre_affine && c < g.c; ++c) {
    const AffineOf affine{weights.input_factor[c], weights.input_bias[c]};
    std::memcpy(packed + affine_bytes(c), &affine, sizeof affine);
  }
}

void conv_mma_launch(const ConvGeometry& g, Precision precision, const ConvTile& tile, int input_alignment,
                     int output_alignment, const void* input, void* output, const void* packed, cudaStream_t stream,
                     const LaunchStyle& style, const ConvResidual& residual) {
  const auto chosen = std::ranges::find_if(
      variants(), [&](const Variant& v) { return v.tile.rows == tile.rows && v.tile.columns == tile.columns; });
  if (chosen == variants().end()) throw Error("conv_mma: no such tile");
  if (tile.splits < 1 || tile.splits > kMostSplits) throw Error("conv_mma: no such number of splits");
  if (g.residual != (residual.data != nullptr)) throw Error("conv_mma: a residual without an address, or the reverse");
  if (input_alignment < kConvMmaAlignment) throw Error("conv_mma: the input is not aligned to 4 bytes");
  const bool half = precision == Precision::fp16;
  Params params{.g = g,
                .rows_padded = packed_rows(g, kRowPad),
                .depth_tiles = round_up(g.c, depth_of(precision)) / depth_of(precision),
                .steps = steps_of(g, precision),
                .row_end = g.s * g.dilation_w,
                .input = static_cast<const char*>(input),
                .output = static_cast<char*>(output),
                .weights = static_cast<const char*>(packed),
                .bias = nullptr,
                .wide_output = output_alignment >= (half ? 8 : 16),
                .residual = static_cast<const char*>(residual.data),
                .wide_residual = residual.alignment >= (half ? 8 : 16)};
  params.bias = reinterpret_cast<const float*>(params.weights + bias_at(g, precision));
  const int width = input_alignment >= 16 ? 2 : input_alignment >= 8 ? 1 : 0;
  const Functions& functions = chosen->functions.in(precision);
  auto* const function = g.groups > 1   ? functions.grouped
                         : g.pre_affine ? functions.affine
                         : g.residual   ? functions.residual
                                        : functions.by_width[width];
  if (!function || (g.pre_affine && (width < 2 || g.r * g.s > 1)))
    throw Error("conv_mma: no such tile, window or alignment behind an affine layer");
  if (g.residual && (width < 2 || g.pre_affine))
    throw Error("conv_mma: no residual with this alignment or an affine layer");
  const int vector = half ? 8 : 4;
  if (g.groups > 1 && (width < 2 || g.pre_affine || g.residual || g.c % vector != 0 || g.k % vector != 0))
    throw Error("conv_mma: no groups with an affine layer, a residual, or vectors that cross groups");
  const int affine = g.pre_affine ? chosen->affine_bytes : 0;
  native::allow_all_shared_memory(reinterpret_cast<const void*>(function));
  const int shared_bytes = chosen->shared_bytes[tile.splits] + affine;
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q;
  const dim3 blocks(static_cast<unsigned>((pixels + tile.columns - 1) / tile.columns), row_tiles(g, tile), tile.splits);
  native::launch_overlapping(
      function, {blocks, dim3(chosen->threads), static_cast<std::size_t>(shared_bytes), tile.splits, style}, stream,
      params);
}

}  // namespace opsched
