// A block keeps all its input in shared memory: the weights of its output channels and its patch of the input, in which
// every pixel is stored once, however many taps read it. So there is one wait for memory instead of one per step; at
// batch 1 a small convolution mostly waits.
//
// A tensor core step takes 32 bytes of the sum. For a wide input these are channels of one tap. A first layer has three
// channels, so most of these bytes would be zeros. For such a thin input, a pixel is stored as four channels, and a
// step takes four (fp16) or two (others) neighbouring taps of a row.

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_mma_device.cuh"
#include "core/runtime/cuda/kernels/conv_patch.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/tf32.hpp"

namespace opsched {
namespace {

constexpr int kColumns = 16;             // output pixels of a row that a warp computes at once
constexpr int kGroup = 32;               // output channels whose weights are stored together
constexpr int kGroupBytes = 1024;        // of weights per step
constexpr int kSharedLimit = 99 * 1024;  // available on every GPU since sm_80

struct Params {
  ConvGeometry g;
  int taps, chunks;            // per row of taps: positions at which steps begin, and steps per position
  int pixel_words, tap_words;  // distance between pixels of the patch, and between taps of a row
  bool thin;
  int patch_rows, patch_columns, row_tiles;
  const void* input;
  void* output;
  const char* weights;
  const float* bias;
  bool wide_output;  // eight channels can be stored at once
  const void* residual;
  bool wide_residual;  // and loaded
};

constexpr int kStepBytes = 32, kStepWords = kStepBytes / 4;
/// Taps of a thin input per step.
constexpr int thin_taps(bool half) { return half ? 4 : 2; }

/// Fetches the patch of a thin input, with its channels zero-padded.
template <class T, int Threads>
__device__ void fetch_thin(const Params& params, const T* input, int top, int left, char* patch) {
  const ConvGeometry& g = params.g;
#pragma unroll 4
  for (int i = threadIdx.x; i < params.patch_rows * params.patch_columns; i += Threads) {
    const int row = i / params.patch_columns, y = top + row, x = left + i - row * params.patch_columns;
    const bool inside =
        static_cast<unsigned>(y) < static_cast<unsigned>(g.h) && static_cast<unsigned>(x) < static_cast<unsigned>(g.w);
    const T* pixel = input + (static_cast<std::int64_t>(y) * g.w + x) * g.in_stride;
    struct alignas(4 * sizeof(T)) Four {
      T v[4];
    } four;
#pragma unroll
    for (int c = 0; c < 4; ++c) four.v[c] = inside && c < g.c ? pixel[c] : T(0.f);
    reinterpret_cast<Four*>(patch)[i] = four;
  }
}

/// Fetches the patch of any other input, 16 bytes at a time.
template <class T, int Threads>
__device__ void fetch_wide(const Params& params, const T* input, int top, int left, char* patch) {
  const ConvGeometry& g = params.g;
  const int vectors = params.chunks * (kStepBytes / 16), used = g.c * static_cast<int>(sizeof(T)) / 16;
  for (int i = threadIdx.x; i < params.patch_rows * params.patch_columns * vectors; i += Threads) {
    const int pixel = i / vectors, vector = i - pixel * vectors;
    const int row = pixel / params.patch_columns, y = top + row, x = left + pixel - row * params.patch_columns;
    const bool inside = static_cast<unsigned>(y) < static_cast<unsigned>(g.h) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(g.w) && vector < used;
    const char* from =
        reinterpret_cast<const char*>(input + (static_cast<std::int64_t>(y) * g.w + x) * g.in_stride) + vector * 16;
    native::copy_async<16>(native::shared_address(patch + pixel * params.pixel_words * 4 + vector * 16), from,
                           inside ? 16 : 0);
  }
}

template <class Format, int Groups, int Rows, int Warps, bool Residual>
__global__ void __launch_bounds__(Warps * 32) conv_patch_kernel(const __grid_constant__ Params params) {
  using T = typename Format::Stored;
  constexpr int kThreads = Warps * 32;
  extern __shared__ __align__(128) char memory[];
  const ConvGeometry& g = params.g;
  const int row_steps = params.taps * params.chunks, steps = g.r * row_steps;
  const int weight_bytes = Groups * steps * kGroupBytes;
  unsigned* const patch = reinterpret_cast<unsigned*>(memory + weight_bytes);

  const char* weights = params.weights + static_cast<std::int64_t>(blockIdx.z) * weight_bytes;
  for (int i = threadIdx.x * 16; i < weight_bytes; i += kThreads * 16)
    native::copy_async<16>(native::shared_address(memory + i), weights + i);
  native::close_copies();
  native::await_predecessor();

  const int image = blockIdx.y / params.row_tiles;
  const int first_row = (blockIdx.y - image * params.row_tiles) * Rows * Warps, first_column = blockIdx.x * kColumns;
  const int top = first_row * g.stride_h - g.pad_h, left = first_column * g.stride_w - g.pad_w;
  const T* input = static_cast<const T*>(params.input) + image * g.in_stride_n;
  if (params.thin) {
    fetch_thin<T, kThreads>(params, input, top, left, reinterpret_cast<char*>(patch));
  } else {
    fetch_wide<T, kThreads>(params, input, top, left, reinterpret_cast<char*>(patch));
    native::close_copies();
  }
  native::await_copies<0>();
  __syncthreads();

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int apart = 8 * g.stride_w * params.pixel_words;  // distance between the windows of output pixels 8 apart
  float sum[Groups][2][Rows][2][4] = {};
  for (int r = 0; r < g.r; ++r) {
    int tap_place = 0, chunk = 0;  // position of the step: its tap's place in the patch, its part of the channels
#pragma unroll 2
    for (int s = 0; s < row_steps; ++s) {
      const int place = tap_place + chunk * kStepWords;
      if (++chunk == params.chunks) chunk = 0, tap_place += params.tap_words;
      unsigned window[Rows][4];
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        const int row = (warp * Rows + i) * g.stride_h + r * g.dilation_h;
        const unsigned* from =
            patch + (row * params.patch_columns + lane / 4 * g.stride_w) * params.pixel_words + place + lane % 4;
        window[i][0] = from[0];
        window[i][1] = from[apart];
        window[i][2] = from[4];
        window[i][3] = from[apart + 4];
#pragma unroll
        for (int j = 0; j < 4; ++j) window[i][j] = prepare(window[i][j], g.pre_relu, Format{});
      }
      const int step = r * row_steps + s;
#pragma unroll
      for (int group = 0; group < Groups; ++group) {
        const char* at = memory + (group * steps + step) * kGroupBytes + lane * 16;
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
          const uint4 four = *reinterpret_cast<const uint4*>(at + pair * 512);
          const unsigned b[1][4] = {{four.x, four.y, four.z, four.w}};
          mma::multiply_all(sum[group][pair], window, b, Format{});
        }
      }
    }
  }

  native::release_successor();
  // Channels are distributed so that a thread ends up with eight consecutive ones of each group.
#pragma unroll
  for (int group = 0; group < Groups; ++group) {
    const int channel = (blockIdx.z * Groups + group) * kGroup + lane % 4 * 8;
    float bias[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) bias[j] = params.bias[channel + j];  // padded
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
      const int y = first_row + warp * Rows + i;
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        const int x = first_column + side * 8 + lane / 4;
        if (y >= g.p || x >= g.q) continue;
        float result[8];
#pragma unroll
        for (int j = 0; j < 8; ++j) result[j] = sum[group][j / 4][i][j / 2 % 2][side * 2 + j % 2] + bias[j];
        native::activate_light(g.act, result);
        const std::int64_t at = static_cast<std::int64_t>(y) * g.q + x;
        if constexpr (Residual)
          native::add_residual(
              result,
              static_cast<const T*>(params.residual) + image * g.residual_stride_n + at * g.residual_stride + channel,
              g.k - channel, params.wide_residual, g.post_relu);
        struct alignas(16) {
          T v[8];
        } eight;
#pragma unroll
        for (int j = 0; j < 8; ++j) eight.v[j] = T(result[j]);
        T* out = static_cast<T*>(params.output) + image * g.out_stride_n + at * g.out_stride + channel;
        if (params.wide_output && channel + 8 <= g.k) {
#pragma unroll
          for (int b = 0; b < static_cast<int>(sizeof eight); b += 16)
            *reinterpret_cast<uint4*>(reinterpret_cast<char*>(out) + b) =
                *reinterpret_cast<const uint4*>(reinterpret_cast<const char*>(&eight) + b);
        } else {
#pragma unroll
          for (int j = 0; j < 8; ++j)
            if (channel + j < g.k) out[j] = eight.v[j];
        }
      }
    }
  }
}

struct Variant {
  PatchTile tile;
  mma::PerFormat<std::array<void (*)(Params), 2>> functions;  ///< without and with a residual
};

template <int Groups, int Rows, int Warps>
Variant variant() {
  using mma::Fp16, mma::Tf32, mma::Tf32x3;
  return {
      {Groups * kGroup, Rows, Warps},
      {{conv_patch_kernel<Fp16, Groups, Rows, Warps, false>, conv_patch_kernel<Fp16, Groups, Rows, Warps, true>},
       {conv_patch_kernel<Tf32, Groups, Rows, Warps, false>, conv_patch_kernel<Tf32, Groups, Rows, Warps, true>},
       {conv_patch_kernel<Tf32x3, Groups, Rows, Warps, false>, conv_patch_kernel<Tf32x3, Groups, Rows, Warps, true>}}};
}

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all = {variant<1, 1, 2>(), variant<2, 1, 2>(), variant<1, 1, 4>(),
                                           variant<1, 2, 4>(), variant<1, 1, 8>(), variant<1, 2, 8>(),
                                           variant<2, 1, 4>(), variant<2, 2, 4>(), variant<2, 1, 8>(),
                                           variant<3, 1, 4>(), variant<3, 2, 4>(), variant<3, 1, 8>()};
  return all;
}

int divide_up(int a, int b) { return (a + b - 1) / b; }
int element_of(bool half) { return half ? 2 : 4; }
bool is_thin(const ConvGeometry& g) { return g.c <= kConvThinChannels; }
int groups_of(const ConvGeometry& g) { return divide_up(g.k, kGroup); }

/// Positions in a row of taps at which steps begin; chunks_of(): steps per position.
int taps_of(const ConvGeometry& g) { return is_thin(g) ? 1 : g.s; }
int chunks_of(const ConvGeometry& g, bool half) {
  return is_thin(g) ? divide_up(g.s, thin_taps(half)) : divide_up(g.c * element_of(half), kStepBytes);
}
int steps_of(const ConvGeometry& g, bool half) { return g.r * taps_of(g) * chunks_of(g, half); }
std::size_t bias_at(const ConvGeometry& g, bool half) {
  return std::size_t(groups_of(g)) * steps_of(g, half) * kGroupBytes;
}

/// 16 bytes more than the channels need, so that neighbouring pixels are in different banks.
int pixel_words(const ConvGeometry& g, bool half) {
  return is_thin(g) ? kConvThinChannels * element_of(half) / 4 : chunks_of(g, half) * kStepWords + 4;
}
int extent(int taps, int dilation) { return (taps - 1) * dilation + 1; }
int patch_rows(const ConvGeometry& g, const PatchTile& tile) {
  return (tile.rows * tile.warps - 1) * g.stride_h + extent(g.r, g.dilation_h);
}
int patch_columns(const ConvGeometry& g, bool half) {
  return (kColumns - 1) * g.stride_w + (is_thin(g) ? chunks_of(g, half) * thin_taps(half) : extent(g.s, g.dilation_w));
}
std::size_t shared_bytes(const ConvGeometry& g, const PatchTile& tile, bool half) {
  return std::size_t(tile.channels / kGroup) * steps_of(g, half) * kGroupBytes +
         std::size_t(patch_rows(g, tile)) * patch_columns(g, half) * pixel_words(g, half) * 4;
}

bool fits(const ConvGeometry& g, const PatchTile& tile, bool half) {
  // A step of a thin input takes adjacent taps, so they must not be dilated.
  return (is_thin(g) ? g.dilation_w == 1 : g.c * element_of(half) % 16 == 0) &&
         groups_of(g) * kGroup % tile.channels == 0 && shared_bytes(g, tile, half) <= kSharedLimit;
}

}  // namespace

std::vector<PatchTile> conv_patch_tiles(const ConvGeometry& g, Precision precision) {
  std::vector<PatchTile> tiles;
  for (const Variant& v : variants())
    if (fits(g, v.tile, precision == Precision::fp16)) tiles.push_back(v.tile);
  return tiles;
}

std::size_t conv_patch_weight_bytes(const ConvGeometry& g, Precision precision) {
  return bias_at(g, precision == Precision::fp16) + std::size_t(groups_of(g)) * kGroup * sizeof(float);
}

void conv_patch_pack(const ConvGeometry& g, Precision precision, const float* weight, const float* bias,
                     std::byte* packed) {
  const bool half = precision == Precision::fp16;
  const int taps = taps_of(g), chunks = chunks_of(g, half), steps = steps_of(g, half);
  const int per_word = half ? 2 : 1, per_step = kStepWords * per_word;  // elements
  std::memset(packed, 0, conv_patch_weight_bytes(g, precision));
  for (int k = 0; k < g.k; ++k) {
    // Channel k is column `column` of tile `tile` in its group; see the end of the kernel.
    const int at = k % kGroup, tile = at % 8 / 2, column = at / 8 * 2 + at % 2;
    for (int r = 0; r < g.r; ++r)
      for (int s = 0; s < g.s; ++s)
        for (int c = 0; c < g.c; ++c) {
          const int chunk = is_thin(g) ? s / thin_taps(half) : c / per_step, tap = is_thin(g) ? 0 : s;
          const int depth = is_thin(g) ? s % thin_taps(half) * kConvThinChannels + c : c % per_step;
          const int step = (r * taps + tap) * chunks + chunk;
          // The tensor cores take words lane % 4 and 4 + lane % 4 of a column from each lane.
          const int word = depth / per_word, lane = column * 4 + word % 4;
          std::byte* target = packed + (std::size_t(k / kGroup) * steps + step) * kGroupBytes + tile / 2 * 512 +
                              lane * 16 + tile % 2 * 8 + word / 4 * 4 + depth % per_word * 2;
          const float value = weight[((std::size_t(k) * g.c + c) * g.r + r) * g.s + s];
          if (half) {
            const __half h = __float2half(value);
            std::memcpy(target, &h, 2);
          } else {
            const float f = precision == Precision::tf32 ? round_to_tf32(value) : value;
            std::memcpy(target, &f, 4);
          }
        }
  }
  std::memcpy(packed + bias_at(g, half), bias, g.k * sizeof(float));
}

void conv_patch_launch(const ConvGeometry& g, Precision precision, const PatchTile& tile, int output_alignment,
                       const void* input, void* output, const void* packed, cudaStream_t stream,
                       const LaunchStyle& style, const ConvResidual& residual) {
  const bool half = precision == Precision::fp16;
  const auto chosen = std::ranges::find_if(variants(), [&](const Variant& v) {
    return v.tile.channels == tile.channels && v.tile.rows == tile.rows && v.tile.warps == tile.warps;
  });
  if (chosen == variants().end() || !fits(g, tile, half)) throw Error("conv_patch: no such tile for this problem");
  if (g.residual != (residual.data != nullptr))
    throw Error("conv_patch: a residual without an address, or the reverse");
  Params params{};
  params.g = g;
  params.taps = taps_of(g);
  params.chunks = chunks_of(g, half);
  params.pixel_words = pixel_words(g, half);
  params.tap_words = params.pixel_words * g.dilation_w;
  params.thin = is_thin(g);
  params.patch_rows = patch_rows(g, tile);
  params.patch_columns = patch_columns(g, half);
  params.row_tiles = divide_up(g.p, tile.rows * tile.warps);
  params.input = input;
  params.output = output;
  params.weights = static_cast<const char*>(packed);
  params.bias = reinterpret_cast<const float*>(params.weights + bias_at(g, half));
  params.wide_output = output_alignment >= 16;
  params.residual = residual.data;
  params.wide_residual = residual.alignment >= 16;
  const std::int64_t row_blocks = std::int64_t{params.row_tiles} * g.batch;
  if (row_blocks > 65535) throw Error("conv_patch: too many rows for one launch");
  auto* const function = chosen->functions.in(precision)[g.residual ? 1 : 0];
  const std::size_t shared = shared_bytes(g, tile, half);
  native::allow_all_shared_memory(reinterpret_cast<const void*>(function));
  const dim3 blocks(divide_up(g.q, kColumns), static_cast<unsigned>(row_blocks), groups_of(g) * kGroup / tile.channels);
  native::launch_overlapping(function, {blocks, dim3(tile.warps * 32), shared, 1, style}, stream, params);
}

}  // namespace opsched
