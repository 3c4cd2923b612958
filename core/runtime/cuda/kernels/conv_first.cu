// Convolution of few channels: blocks keep all their weights in shared memory and go from tile to tile, while the
// inputs of the next tile are on their way. A tile's inputs are stored once, not once per tap.
#include "core/runtime/cuda/kernels/conv_first.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched {
namespace {

constexpr int S = 2;  // stride
constexpr int kMostChannels = 4;
constexpr int kWidth = 16, kHeight = 8;  // a tile of outputs
constexpr int kThreads = 128;            // 8 groups of channels, 16 of pixels
constexpr int kColumns = 20;             // of a row and parity in shared memory: kWidth, and what windows add

struct Params {
  ConvGeometry g;
  native::FastDiv across, down;  // tiles of an image
  int tiles;                     // of the batch
  int row_blocks;
  const float* input;
  float* output;
  const float* weights;
  const float* bias;
};

/// The inputs of a tile in shared memory: even and odd columns of a row apart, so that a tap reads neighbours.
template <int K>
struct Patch {
  static constexpr int rows = (kHeight - 1) * S + K, columns = (kWidth - 1) * S + K;  // of an image
  static constexpr int row = S * kColumns, channel = rows * row;                      // floats
  static_assert(kWidth + (K - 1) / S <= kColumns);
};

template <int K>
__host__ __device__ constexpr int shared_floats(int channels, int rows) {
  return channels * (K * K * rows + 2 * Patch<K>::channel);
}

/// A thread computes TM channels of four neighbouring columns in two rows, four rows apart.
template <int K, int BM>
__global__ void __launch_bounds__(kThreads) conv_first_kernel(const __grid_constant__ Params params) {
  constexpr int TM = BM / 8, kPixels = 4;
  using P = Patch<K>;
  extern __shared__ __align__(16) float memory[];
  const ConvGeometry& g = params.g;
  const int tid = threadIdx.x, warp = tid / 32, lane = tid % 32;
  const int tx = warp % 2 * 8 + lane % 8, ty = warp / 2 * 4 + lane / 8;
  const int column = tx % 4 * kPixels, line = tx / 4;  // of the tile
  const int block = blockIdx.x % params.row_blocks, worker = blockIdx.x / params.row_blocks;
  const int workers = gridDim.x / params.row_blocks;
  float* const weights = memory;
  float* const patches = memory + g.c * K * K * BM;
  const unsigned patches_at = native::shared_address(patches);

  const float* const packed = params.weights + static_cast<std::int64_t>(block) * g.c * K * K * BM;
  for (int i = tid * 4; i < g.c * K * K * BM; i += kThreads * 4)
    native::copy_async<16>(native::shared_address(weights) + i * 4, packed + i);
  native::close_copies();
  native::await_predecessor();

  struct Place {
    int image, y, x;  // of the first output
  };
  const auto place_of = [&](int tile) {
    std::uint32_t image = tile;
    const int x = params.across.split(image) * kWidth, y = params.down.split(image) * kHeight;
    return Place{static_cast<int>(image), y, x};
  };
  /// Starts to copy the inputs of a tile; zeros outside the image.
  const auto fetch = [&](int tile, int slot) {
    if (tile < params.tiles) {
      const Place at = place_of(tile);
      const int top = at.y * S - g.pad_h, left = at.x * S - g.pad_w;
      const float* const from = params.input + at.image * g.in_stride_n + std::int64_t{top} * g.w + left;
      const unsigned to = patches_at + slot * g.c * P::channel * 4;
      for (int c = 0; c < g.c; ++c)
        for (int i = tid; i < P::rows * P::columns; i += kThreads) {
          const int row = i / P::columns, col = i % P::columns;
          const bool inside = static_cast<unsigned>(top + row) < static_cast<unsigned>(g.h) &&
                              static_cast<unsigned>(left + col) < static_cast<unsigned>(g.w);
          native::copy_async<4>(to + (c * P::channel + row * P::row + col % S * kColumns + col / S) * 4,
                                from + c * g.in_stride + row * g.w + col, inside ? 4 : 0);
        }
    }
    native::close_copies();
  };

  const int first_row = block * BM;
  fetch(worker, 0);
  int slot = 0;
  for (int tile = worker; tile < params.tiles; tile += workers, slot ^= 1) {
    native::await_copies<0>();
    __syncthreads();  // this tile has arrived, and nobody reads the one before it any more
    fetch(tile + workers, slot ^ 1);
    float sum[TM][2][kPixels];
#pragma unroll
    for (int i = 0; i < TM; ++i) {
      const float bias = params.bias[first_row + i / 4 * 32 + ty * 4 + i % 4];
#pragma unroll
      for (int j = 0; j < 2; ++j)
#pragma unroll
        for (int p = 0; p < kPixels; ++p) sum[i][j][p] = bias;
    }
    const float* x_row = patches + slot * g.c * P::channel + line * S * P::row + column;
    const float* w_row = weights + ty * 4;
    for (int c = 0; c < g.c; ++c) {
#pragma unroll 1
      for (int r = 0; r < K; ++r, x_row += P::row, w_row += K * BM) {
        constexpr int kSpan = 4 + (K - 1) / S;
        float x[2][S][8];
#pragma unroll
        for (int j = 0; j < 2; ++j)
#pragma unroll
          for (int s = 0; s < S; ++s)
#pragma unroll
            for (int i = 0; i < kSpan; i += 4) {
              const float4 v = *reinterpret_cast<const float4*>(x_row + j * (4 * S * P::row) + s * kColumns + i);
              x[j][s][i] = v.x, x[j][s][i + 1] = v.y, x[j][s][i + 2] = v.z, x[j][s][i + 3] = v.w;
            }
#pragma unroll
        for (int s = 0; s < K; ++s) {
          float weight[TM];
#pragma unroll
          for (int i = 0; i < TM / 4; ++i) {
            const float4 v = *reinterpret_cast<const float4*>(w_row + s * BM + i * 32);
            weight[4 * i] = v.x, weight[4 * i + 1] = v.y, weight[4 * i + 2] = v.z, weight[4 * i + 3] = v.w;
          }
#pragma unroll
          for (int i = 0; i < TM; ++i)
#pragma unroll
            for (int j = 0; j < 2; ++j)
#pragma unroll
              for (int p = 0; p < kPixels; ++p) sum[i][j][p] = fmaf(weight[i], x[j][s % S][s / S + p], sum[i][j][p]);
        }
      }
      x_row += P::channel - K * P::row;
    }
    if (tile + workers >= params.tiles) native::release_successor();
    const Place at = place_of(tile);
#pragma unroll
    for (int i = 0; i < TM; ++i) {
      const int row = first_row + i / 4 * 32 + ty * 4 + i % 4;
      if (row >= g.k) continue;
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const int y = at.y + line + 4 * j, x = at.x + column;
        if (y >= g.p || x >= g.q) continue;
        native::activate_light(g.act, sum[i][j]);
        float* const to = params.output + at.image * g.out_stride_n + row * g.out_stride + std::int64_t{y} * g.q + x;
        *reinterpret_cast<float4*>(to) = make_float4(sum[i][j][0], sum[i][j][1], sum[i][j][2], sum[i][j][3]);
      }
    }
  }
}

using KernelFunction = void (*)(Params);

struct Variant {
  int rows;
  KernelFunction small, large;  // windows of 3x3, 7x7
};

constexpr Variant kVariants[] = {{32, conv_first_kernel<3, 32>, conv_first_kernel<7, 32>},
                                 {64, conv_first_kernel<3, 64>, conv_first_kernel<7, 64>},
                                 {96, conv_first_kernel<3, 96>, conv_first_kernel<7, 96>}};

int row_blocks(const ConvGeometry& g, int rows) { return (g.k + rows - 1) / rows; }

std::size_t shared_bytes_of(const ConvGeometry& g, int rows) {
  return sizeof(float) * (g.r == 3 ? shared_floats<3>(g.c, rows) : shared_floats<7>(g.c, rows));
}

/// Offset of the bias in packed weights, in floats.
std::size_t bias_at(const ConvGeometry& g, int rows) {
  return std::size_t(row_blocks(g, rows)) * g.c * g.r * g.s * rows;
}

}  // namespace

std::vector<int> conv_first_rows(const ConvGeometry& g, std::size_t shared_bytes) {
  std::vector<int> rows;
  for (const Variant& v : kVariants)
    if (shared_bytes_of(g, v.rows) <= shared_bytes) rows.push_back(v.rows);
  return rows;
}

bool conv_first_supports(const ConvGeometry& g) {
  return g.c <= kMostChannels && g.r == g.s && (g.r == 3 || g.r == 7) && g.stride_h == S && g.stride_w == S &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1 && !g.pre_relu && !g.pre_affine && !g.residual &&
         g.q % 4 == 0 && g.out_stride % 4 == 0 && g.out_stride_n % 4 == 0;
}

std::size_t conv_first_weight_bytes(const ConvGeometry& g, int rows) {
  return sizeof(float) * (bias_at(g, rows) + std::size_t(row_blocks(g, rows)) * rows);
}

void conv_first_pack(const ConvGeometry& g, int rows, const ConvWeights& weights, std::byte* packed) {
  std::vector<float> all(conv_first_weight_bytes(g, rows) / sizeof(float), 0.f);
  const int taps = g.r * g.s;
  for (int k = 0; k < g.k; ++k) {
    for (int c = 0; c < g.c; ++c)
      for (int t = 0; t < taps; ++t)
        all[((std::size_t(k / rows) * g.c + c) * taps + t) * rows + k % rows] =
            weights.weight[(std::size_t(k) * g.c + c) * taps + t];
    all[bias_at(g, rows) + k] = weights.bias[k];
  }
  std::memcpy(packed, all.data(), all.size() * sizeof(float));
}

void conv_first_launch(const ConvGeometry& g, int rows, const float* input, float* output, const void* packed,
                       cudaStream_t stream) {
  const auto* chosen = std::ranges::find(kVariants, rows, &Variant::rows);
  if (chosen == std::end(kVariants) || !conv_first_supports(g)) throw Error("conv_first: no such kernel");
  const int across = (g.q + kWidth - 1) / kWidth, down = (g.p + kHeight - 1) / kHeight;
  const std::int64_t tiles = std::int64_t{g.batch} * across * down;
  if (tiles > (1 << 30)) throw Error("conv_first: too many outputs");
  const float* const weights = static_cast<const float*>(packed);
  const Params params{.g = g,
                      .across = native::FastDiv(across),
                      .down = native::FastDiv(down),
                      .tiles = static_cast<int>(tiles),
                      .row_blocks = row_blocks(g, rows),
                      .input = input,
                      .output = output,
                      .weights = weights,
                      .bias = weights + bias_at(g, rows)};
  const KernelFunction function = g.r == 3 ? chosen->small : chosen->large;
  native::Grid grid{.threads = dim3(kThreads), .shared_bytes = shared_bytes_of(g, rows)};
  const void* const kernel = reinterpret_cast<const void*>(function);
  native::allow_all_shared_memory(kernel);
  const std::int64_t workers =
      std::clamp<std::int64_t>(native::blocks_at_once(kernel, grid) / params.row_blocks, 1, tiles);
  grid.blocks = dim3(static_cast<unsigned>(workers * params.row_blocks));
  native::launch_overlapping(function, grid, stream, params);
}

}  // namespace opsched
