// Winograd's F(2x2, 3x3) in one kernel (Lavin and Gray, CVPR 2016): 2x2 outputs cost 16 multiplications per channel
// instead of 36. Inputs and weights are transformed to 16 components; each component is a matrix product of its own.
#include "core/runtime/cuda/kernels/conv_winograd.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched {
namespace {

constexpr int kComponents = 16;
constexpr int kEverywhere = 5;    // the component that every output contains once
constexpr int kTiles = 32;        // of 2x2 outputs, per block
constexpr int kDepth = 8;         // channels per step
constexpr int kRowPad = 64;       // of weights
constexpr int kTM = 16, kTN = 8;  // channels and tiles of a component per thread
constexpr int kTileFloats = kDepth * kTiles;
constexpr int kResultPad = 4;  // floats behind each row of results, against bank conflicts

struct Params {
  ConvGeometry g;
  int rows_padded, steps, row_blocks;
  int tiles;                     // of the batch
  native::FastDiv across, down;  // tiles of an image
  const float* input;
  float* output;
  const float* weights;
  const float* bias;
  const float* residual;
};

/// d becomes B^T d B.
__device__ __forceinline__ void transform_input(float (&d)[4][4]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float a = d[0][j] - d[2][j], b = d[1][j] + d[2][j], c = d[2][j] - d[1][j], e = d[1][j] - d[3][j];
    d[0][j] = a, d[1][j] = b, d[2][j] = c, d[3][j] = e;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float a = d[i][0] - d[i][2], b = d[i][1] + d[i][2], c = d[i][2] - d[i][1], e = d[i][1] - d[i][3];
    d[i][0] = a, d[i][1] = b, d[i][2] = c, d[i][3] = e;
  }
}

/// out = A^T m A.
__device__ __forceinline__ void transform_output(const float (&m)[4][4], float (&out)[4]) {
  float half[2][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    half[0][j] = m[0][j] + m[1][j] + m[2][j];
    half[1][j] = m[1][j] - m[2][j] - m[3][j];
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    out[2 * i] = half[i][0] + half[i][1] + half[i][2];
    out[2 * i + 1] = half[i][1] - half[i][2] - half[i][3];
  }
}

/// Where a stage's parts are, and how large everything is, in floats.
template <int BM>
struct Shared {
  static constexpr int weights = kComponents * kDepth * BM;
  static constexpr int stage = weights + kComponents * kTileFloats;
  static constexpr int row = kTiles + kResultPad;  // of results
  static constexpr int result = kComponents * BM * row;
  static constexpr int bytes = std::max(2 * stage, result) * static_cast<int>(sizeof(float));
};

/// A block computes BM channels of kTiles tiles. A warp computes kOwn components, and LC lanes share a component.
template <int BM>
__global__ void __launch_bounds__(BM * 4) conv_winograd_kernel(const __grid_constant__ Params params) {
  constexpr int kThreads = BM * 4, kOwn = 128 / BM, LC = 32 / kOwn, kPatches = kTileFloats / kThreads;
  constexpr int kSpacing = BM / (kTM / 4);  // of a thread's groups of four channels
  extern __shared__ __align__(16) float memory[];
  const ConvGeometry& g = params.g;
  const int tid = threadIdx.x;
  const int first_row = blockIdx.x % params.row_blocks * BM, first_tile = blockIdx.x / params.row_blocks * kTiles;

  // The tile whose inputs this thread fetches and whose outputs it writes.
  const int tile = tid % kTiles, first_channel = tid / kTiles;
  std::uint32_t image = first_tile + tile;
  const bool exists = image < static_cast<std::uint32_t>(params.tiles);
  const int x = params.across.split(image) * 2, y = params.down.split(image) * 2;
  const int top = y - g.pad_h, left = x - g.pad_w;
  unsigned inside = 0;  // bit 4 * i + j: row i and column j of the patch are in the image
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (exists && top + i >= 0 && top + i < g.h && left + j >= 0 && left + j < g.w) inside |= 1u << (4 * i + j);
  const float least = g.pre_relu ? 0.f : -INFINITY;
  const float* const corner = params.input + (exists ? image : 0) * g.in_stride_n + std::int64_t{top} * g.w + left;

  const unsigned shared = native::shared_address(memory);
  /// Starts to copy the weights of a step. Each pass of all threads copies two components.
  const auto fetch_weights = [&](int step) {
    if (step >= params.steps) return;
    const int part = tid / (2 * BM), within = tid % (2 * BM), c = within / (BM / 4), column = within % (BM / 4) * 4;
    const float* from = params.weights +
                        (std::int64_t{step} * kComponents * kDepth + part * kDepth + c) * params.rows_padded +
                        first_row + column;
    const unsigned to = shared + (step % 2 * Shared<BM>::stage + (part * kDepth + c) * BM + column) * 4;
#pragma unroll
    for (int i = 0; i < kComponents / 2; ++i)
      native::copy_async<16>(to + i * (2 * kDepth * BM * 4), from + std::int64_t{i} * 2 * kDepth * params.rows_padded);
  };
  float patches[kPatches][4][4];
  const auto load_patches = [&](int step) {
#pragma unroll
    for (int part = 0; part < kPatches; ++part) {
      const int channel = step * kDepth + part * (kThreads / kTiles) + first_channel;
      const unsigned valid = channel < g.c ? inside : 0;
      const float* from = corner + channel * g.in_stride;
#pragma unroll
      for (int i = 0; i < 4; ++i, from += g.w)
#pragma unroll
        for (int j = 0; j < 4; ++j) patches[part][i][j] = valid >> (4 * i + j) & 1 ? from[j] : 0.f;
    }
  };
  const auto store_patches = [&](int step) {
#pragma unroll
    for (int part = 0; part < kPatches; ++part) {
      auto& patch = patches[part];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) patch[i][j] = native::larger(patch[i][j], least);
      transform_input(patch);
      float* to = memory + step % 2 * Shared<BM>::stage + Shared<BM>::weights +
                  (part * (kThreads / kTiles) + first_channel) * kTiles + tile;
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) to[(4 * i + j) * kTileFloats] = patch[i][j];
    }
  };

  const int component = tid / 32 * kOwn + tid % 32 / LC, lane = tid % LC;
  const int tx = lane % 4 * 4, ty = lane / 4 * 4;
  float sum[kTM][kTN] = {};
  const auto multiply = [&](const float* stage, int k) {
    const float* const u = stage + (component * kDepth + k) * BM + ty;
    const float* const v = stage + Shared<BM>::weights + component * kTileFloats + k * kTiles + tx;
    float weight[kTM], value[kTN];
#pragma unroll
    for (int i = 0; i < kTM / 4; ++i) {
      const float4 four = *reinterpret_cast<const float4*>(u + i * kSpacing);
      weight[4 * i] = four.x, weight[4 * i + 1] = four.y, weight[4 * i + 2] = four.z, weight[4 * i + 3] = four.w;
    }
#pragma unroll
    for (int j = 0; j < kTN / 4; ++j) {
      const float4 four = *reinterpret_cast<const float4*>(v + j * (kTiles / 2));
      value[4 * j] = four.x, value[4 * j + 1] = four.y, value[4 * j + 2] = four.z, value[4 * j + 3] = four.w;
    }
    native::to_and_fro<kTM, kTN>([&](int i, int j) { sum[i][j] = fmaf(weight[i], value[j], sum[i][j]); });
  };

  fetch_weights(0);
  native::close_copies();
  native::await_predecessor();
  load_patches(0);
  store_patches(0);
  load_patches(1);
  for (int step = 0; step < params.steps; ++step) {
    native::await_copies<0>();
    __syncthreads();  // this step has arrived, and nobody reads the one before it any more
    fetch_weights(step + 1);
    native::close_copies();
    store_patches(step + 1);  // they were on their way during the step before
    load_patches(step + 2);
    const float* const stage = memory + step % 2 * Shared<BM>::stage;
#pragma unroll
    for (int k = 0; k < kDepth; ++k) multiply(stage, k);
  }
  native::release_successor();

  // Every thread has some channels and tiles of one component; an output needs all components.
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kTM; ++i) {
    const int row = i / 4 * kSpacing + ty + i % 4;
    float* const to = memory + (component * BM + row) * Shared<BM>::row + tx;
    // Added here, not to the outputs: if sums were stored as they are, four would need adjacent registers, and
    // multiply-adds would more often read their operands from one bank.
    const float bias = component == kEverywhere ? params.bias[first_row + row] : 0.f;
    native::for_all(sum[i], [=](float v) { return v + bias; });
#pragma unroll
    for (int j = 0; j < kTN / 4; ++j)
      *reinterpret_cast<float4*>(to + j * (kTiles / 2)) =
          make_float4(sum[i][4 * j], sum[i][4 * j + 1], sum[i][4 * j + 2], sum[i][4 * j + 3]);
  }
  __syncthreads();
  if (!exists) return;
  const int pixel = y * g.q + x;
  const bool wide = x + 1 < g.q, high = y + 1 < g.p;
  const bool written[4] = {true, wide, high, wide && high};
  constexpr int kBatch = 4, kApart = kThreads / kTiles;
#pragma unroll 1
  for (int first = first_channel; first < BM; first += kBatch * kApart) {
    float more[kBatch][4] = {};
    if (params.residual)
#pragma unroll
      for (int b = 0; b < kBatch; ++b) {
        const int k = first_row + first + b * kApart;
        const float* const from = params.residual + image * g.residual_stride_n + k * g.residual_stride + pixel;
#pragma unroll
        for (int i = 0; i < 4; ++i)
          if (written[i] && k < g.k) more[b][i] = native::load_constant(from + i / 2 * g.q + i % 2);
      }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const int row = first + b * kApart;
      float m[4][4];
#pragma unroll
      for (int i = 0; i < kComponents; ++i) m[i / 4][i % 4] = memory[(i * BM + row) * Shared<BM>::row + tile];
      float out[4];
      transform_output(m, out);
      native::activate_light(g.act, out);
      float* const to = params.output + image * g.out_stride_n + (first_row + row) * g.out_stride + pixel;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (params.residual) out[i] += more[b][i];
        if (g.post_relu) out[i] = native::larger(out[i], 0.f);
        if (written[i] && first_row + row < g.k) to[i / 2 * g.q + i % 2] = out[i];
      }
    }
  }
}

int steps_of(const ConvGeometry& g) { return (g.c + kDepth - 1) / kDepth; }

/// Offset of the bias in packed weights, in floats.
std::size_t bias_at(const ConvGeometry& g) {
  return std::size_t(steps_of(g)) * kComponents * kDepth * round_up(g.k, kRowPad);
}

}  // namespace

std::vector<int> conv_winograd_rows(std::size_t shared_bytes) {
  std::vector<int> rows;
  if (shared_bytes >= Shared<32>::bytes) rows.push_back(32);
  if (shared_bytes >= Shared<64>::bytes) rows.push_back(64);
  return rows;
}

bool conv_winograd_supports(const ConvGeometry& g) {
  return g.r == 3 && g.s == 3 && g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1 &&
         g.groups == 1 && !g.pre_affine;
}

std::size_t conv_winograd_weight_bytes(const ConvGeometry& g) {
  return sizeof(float) * (bias_at(g) + round_up(g.k, kRowPad));
}

void conv_winograd_pack(const ConvGeometry& g, const ConvWeights& weights, std::byte* packed) {
  constexpr double kG[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  const std::size_t rows = round_up(g.k, kRowPad);
  std::vector<float> all(conv_winograd_weight_bytes(g) / sizeof(float), 0.f);
  for (int k = 0; k < g.k; ++k)
    for (int c = 0; c < g.c; ++c) {
      const float* const window = weights.weight.data() + (std::size_t(k) * g.c + c) * 9;
      for (int i = 0; i < kComponents; ++i) {
        double value = 0;  // of G w G^T
        for (int r = 0; r < 3; ++r)
          for (int s = 0; s < 3; ++s) value += kG[i / 4][r] * kG[i % 4][s] * window[3 * r + s];
        all[((std::size_t(c / kDepth) * kComponents + i) * kDepth + c % kDepth) * rows + k] = static_cast<float>(value);
      }
    }
  for (int k = 0; k < g.k; ++k) all[bias_at(g) + k] = weights.bias[k];
  std::memcpy(packed, all.data(), all.size() * sizeof(float));
}

void conv_winograd_launch(const ConvGeometry& g, int rows, const float* input, float* output, const void* packed,
                          cudaStream_t stream, const ConvResidual& residual) {
  if (!conv_winograd_supports(g)) throw Error("conv_winograd: not a 3x3 window of stride 1");
  const int across = (g.q + 1) / 2, down = (g.p + 1) / 2;
  const std::int64_t tiles = std::int64_t{g.batch} * across * down, row_blocks = (g.k + rows - 1) / rows;
  const float* const weights = static_cast<const float*>(packed);
  const Params params{.g = g,
                      .rows_padded = round_up(g.k, kRowPad),
                      .steps = steps_of(g),
                      .row_blocks = static_cast<int>(row_blocks),
                      .tiles = static_cast<int>(tiles),
                      .across = native::FastDiv(across),
                      .down = native::FastDiv(down),
                      .input = input,
                      .output = output,
                      .weights = weights,
                      .bias = weights + bias_at(g),
                      .residual = static_cast<const float*>(residual.data)};
  const std::int64_t blocks = (tiles + kTiles - 1) / kTiles * row_blocks;
  if (g.residual != (residual.data != nullptr))
    throw Error("conv_winograd: a residual without an address, or the reverse");
  if (tiles > (1 << 30) || blocks > (1 << 30)) throw Error("conv_winograd: too many outputs");
  if (rows != 32 && rows != 64) throw Error("conv_winograd: no such tile");
  auto* const kernel = rows == 64 ? conv_winograd_kernel<64> : conv_winograd_kernel<32>;
  const int bytes = rows == 64 ? Shared<64>::bytes : Shared<32>::bytes;
  native::allow_all_shared_memory(reinterpret_cast<const void*>(kernel));
  native::launch_overlapping(
      kernel, {dim3(static_cast<unsigned>(blocks)), dim3(rows * 4), static_cast<std::size_t>(bytes)}, stream, params);
}

}  // namespace opsched
