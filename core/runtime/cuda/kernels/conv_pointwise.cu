// 1x1 convolutions of many pixels: a matrix product without windows. Each warp computes all of a block's channels for
// its own 64 pixels, and each thread holds a large part of that in registers: it reads little shared memory, and loads
// the next channel's weights and inputs while it multiplies the last one's.
#include "core/runtime/cuda/kernels/conv_pointwise.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched {
namespace {

constexpr int kDepth = 16;  // channels per step
constexpr int kStages = 3;  // steps in flight
constexpr int kTN = 8;      // pixels per thread
constexpr int kAcross = 8;  // threads of a warp along pixels
constexpr int kDown = 4;    // and along channels
constexpr int kThreads = 64;
constexpr int kWarpPixels = kAcross * kTN;
constexpr int kPixels = kThreads / 32 * kWarpPixels;  // per block

struct Params {
  ConvGeometry g;
  int steps, row_blocks, pixels;  // pixels: of the batch
  native::FastDiv plane;          // pixels of an image
  const float* input;
  float* output;
  const float* weights;
  const float* bias;
  const float* residual;
};

/// The row of a block's tile that a thread holds as its i-th: fours first, then pairs.
template <int TM>
__device__ __forceinline__ constexpr int row_of(int i, int ty) {
  constexpr int kFours = TM / 4 * 4;
  return i < kFours ? i / 4 * (4 * kDown) + ty * 4 + i % 4 : kFours * kDown + ty * 2 + i % 2;
}

/// What a thread multiplies for one channel.
template <int TM>
struct Fragments {
  float weight[TM], value[kTN];

  __device__ __forceinline__ void load(const float* a, const float* b, int tx, int ty) {
#pragma unroll
    for (int i = 0; i + 4 <= TM; i += 4) {
      const auto four = native::load<float, 4>(a + row_of<TM>(i, ty));
#pragma unroll
      for (int j = 0; j < 4; ++j) weight[i + j] = four.v[j];
    }
    if constexpr (TM % 4 == 2) {
      const auto two = native::load<float, 2>(a + row_of<TM>(TM - 2, ty));
      weight[TM - 2] = two.v[0], weight[TM - 1] = two.v[1];
    }
#pragma unroll
    for (int i = 0; i < kTN; i += 4) {
      const auto four = native::load<float, 4>(b + i * kAcross + tx * 4);
#pragma unroll
      for (int j = 0; j < 4; ++j) value[i + j] = four.v[j];
    }
  }
};

/// A block computes kDown * TM channels of kPixels pixels. V: pixels per copy; 4 if all are aligned to 16 bytes.
template <int TM, int V, bool Residual>
__global__ void __launch_bounds__(kThreads) conv_pointwise_kernel(const __grid_constant__ Params params) {
  constexpr int BM = kDown * TM, kStage = kDepth * (BM + kPixels);
  extern __shared__ __align__(16) float memory[];
  const ConvGeometry& g = params.g;
  const int tid = threadIdx.x, row_block = blockIdx.x % params.row_blocks;
  const int first_row = row_block * BM, first_pixel = blockIdx.x / params.row_blocks * kPixels;

  // This thread copies V pixels, in kColumns places kThreads * V apart, of every kApart-th channel.
  constexpr int kColumns = std::max(1, kPixels / (kThreads * V)), kApart = std::max(1, kThreads * V / kPixels);
  const int column = tid % (kPixels / V) * V, first_channel = tid / (kPixels / V);
  const float* source[kColumns];
  bool exists[kColumns];
#pragma unroll
  for (int i = 0; i < kColumns; ++i) {
    std::uint32_t image = first_pixel + column + i * kThreads * V;
    exists[i] = image < static_cast<std::uint32_t>(params.pixels);
    if (!exists[i]) image = 0;
    const int at = params.plane.split(image);
    source[i] = params.input + image * g.in_stride_n + first_channel * g.in_stride + at;
  }
  const unsigned shared = native::shared_address(memory);
  const float* const weights = params.weights + std::int64_t{row_block} * params.steps * kDepth * BM;
  const auto fetch_weights = [&](int step) {
    if (step >= params.steps) return;
    const unsigned to = shared + step % kStages * (kStage * 4);
    const float* const from = weights + std::int64_t{step} * kDepth * BM;
#pragma unroll
    for (int i = tid * 4; i < kDepth * BM; i += kThreads * 4) native::copy_async<16>(to + i * 4, from + i);
  };
  const auto fetch_input = [&](int step) {
    if (step >= params.steps) return;
    const unsigned to = shared + (step % kStages * kStage + kDepth * BM + first_channel * kPixels + column) * 4;
    const int left = g.c - step * kDepth - first_channel;
#pragma unroll
    for (int k = 0; k < kDepth; k += kApart)
#pragma unroll
      for (int i = 0; i < kColumns; ++i) {
        native::copy_async<4 * V>(to + (k * kPixels + i * kThreads * V) * 4, source[i],
                                  exists[i] && k < left ? 4 * V : 0);
        source[i] += kApart * g.in_stride;
      }
  };
  /// Waits until a step has arrived for all threads.
  const auto await_step = [&](int step) {
    native::await_copies<kStages - 2>();
    if (g.pre_relu && step < params.steps) {  // each thread has seen its own copies arrive
      float* const own = memory + step % kStages * kStage + kDepth * BM + first_channel * kPixels + column;
#pragma unroll
      for (int k = 0; k < kDepth; k += kApart)
#pragma unroll
        for (int i = 0; i < kColumns; ++i) {
          float* const at = own + k * kPixels + i * kThreads * V;
          auto values = native::load<float, V>(at);
          native::for_all(values.v, [](float v) { return native::larger(v, 0.f); });
          native::store(at, values.v);
        }
    }
    __syncthreads();
  };

  const int lane = tid % 32, tx = lane % kAcross, ty = lane / kAcross;
  const int own_pixel = tid / 32 * kWarpPixels;
  const auto weights_at = [&](int step, int k) { return memory + step % kStages * kStage + k * BM; };
  const auto values_at = [&](int step, int k) {
    return memory + step % kStages * kStage + kDepth * BM + k * kPixels + own_pixel;
  };
  float sum[TM][kTN] = {};
  Fragments<TM> fragments[2];
  for (int i = 0; i < kStages - 1; ++i) fetch_weights(i);
  native::await_predecessor();
  for (int i = 0; i < kStages - 1; ++i) {
    fetch_input(i);
    native::close_copies();
  }
  await_step(0);
  fragments[0].load(weights_at(0, 0), values_at(0, 0), tx, ty);
  for (int step = 0; step < params.steps; ++step) {
    fetch_weights(step + kStages - 1);
    fetch_input(step + kStages - 1);
    native::close_copies();
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      const bool last = k + 1 == kDepth;
      if (last) await_step(step + 1);
      fragments[(k + 1) % 2].load(weights_at(step + last, (k + 1) % kDepth), values_at(step + last, (k + 1) % kDepth),
                                  tx, ty);
      const auto& [weight, value] = fragments[k % 2];
      native::to_and_fro<TM, kTN>([&](int i, int j) { sum[i][j] = fmaf(weight[i], value[j], sum[i][j]); });
    }
  }
  native::release_successor();

  // Each warp puts its own results into shared memory, and reads them back in the order of the pixels.
  __syncthreads();
  float* const results = memory + tid / 32 * (BM * kWarpPixels);
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = row_of<TM>(i, ty);
    const float bias = params.bias[first_row + row];
    native::for_all(sum[i], [=](float v) { return v + bias; });
#pragma unroll
    for (int j = 0; j < kTN; j += 4) {
      const float four[4] = {sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]};
      native::store(results + row * kWarpPixels + j * kAcross + tx * 4, four);
    }
  }
  __syncwarp();
  constexpr int kLanes = std::min(32, kWarpPixels / V), kRows = 32 / kLanes;  // on a row; at once
  constexpr int kBatch = 4;  // loads of the residual on their way together
  static_assert(BM % (kBatch * kRows) == 0 && BM * kPixels <= kStages * kStage);
#pragma unroll
  for (int own = lane % kLanes * V; own < kWarpPixels; own += kLanes * V) {
    std::uint32_t image = first_pixel + own_pixel + own;
    if (image >= static_cast<std::uint32_t>(params.pixels)) continue;
    const int at = params.plane.split(image);
    float* const to = params.output + image * g.out_stride_n + at;
    const float* const residual = params.residual + image * g.residual_stride_n + at;
#pragma unroll 1
    for (int first = lane / kLanes; first < BM; first += kBatch * kRows) {
      native::Vec<float, V> more[kBatch] = {};
      if constexpr (Residual) {
#pragma unroll
        for (int i = 0; i < kBatch; ++i) {
          const int row = first_row + first + i * kRows;
          const float* const from = residual + row * g.residual_stride;
          if (row < g.k) more[i] = native::load_constant(reinterpret_cast<const native::Vec<float, V>*>(from));
        }
      }
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const int row = first + i * kRows;
        auto values = native::load<float, V>(results + row * kWarpPixels + own);
        native::activate_light(g.act, values.v);
        if constexpr (Residual) {
#pragma unroll
          for (int v = 0; v < V; ++v) {
            values.v[v] += more[i].v[v];
            if (g.post_relu) values.v[v] = native::larger(values.v[v], 0.f);
          }
        }
        if (first_row + row < g.k) native::store(to + (first_row + row) * g.out_stride, values.v);
      }
    }
  }
}

using KernelFunction = void (*)(Params);

struct Variant {
  int rows;
  KernelFunction kernels[2][2];  ///< without and with 16-byte copies; without and with a residual
};

template <int TM>
constexpr Variant variant() {
  return {kDown * TM,
          {{conv_pointwise_kernel<TM, 1, false>, conv_pointwise_kernel<TM, 1, true>},
           {conv_pointwise_kernel<TM, 4, false>, conv_pointwise_kernel<TM, 4, true>}}};
}

constexpr Variant kVariants[] = {variant<8>(), variant<10>(), variant<12>(), variant<14>()};

int depth_of(const ConvGeometry& g) { return round_up(g.c, kDepth); }

/// Offset of the bias in packed weights, in floats.
std::size_t bias_at(const ConvGeometry& g, int rows) { return std::size_t(depth_of(g)) * round_up(g.k, rows); }

/// Can four pixels of every plane be copied at once?
bool is_wide(std::int64_t stride_n, std::int64_t stride, const void* data) {
  return stride_n % 4 == 0 && stride % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}

}  // namespace

std::vector<int> conv_pointwise_rows() {
  std::vector<int> rows;
  for (const Variant& v : kVariants) rows.push_back(v.rows);
  return rows;
}

bool conv_pointwise_supports(const ConvGeometry& g) {
  return g.r == 1 && g.s == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 && g.pad_w == 0 && g.p == g.h &&
         g.q == g.w && g.groups == 1 && !g.pre_affine;
}

std::size_t conv_pointwise_weight_bytes(const ConvGeometry& g, int rows) {
  return sizeof(float) * (bias_at(g, rows) + round_up(g.k, rows));
}

void conv_pointwise_pack(const ConvGeometry& g, int rows, const ConvWeights& weights, std::byte* packed) {
  std::vector<float> all(conv_pointwise_weight_bytes(g, rows) / sizeof(float), 0.f);
  for (int k = 0; k < g.k; ++k)
    for (int c = 0; c < g.c; ++c)
      all[(std::size_t(k / rows) * depth_of(g) + c) * rows + k % rows] = weights.weight[std::size_t(k) * g.c + c];
  for (int k = 0; k < g.k; ++k) all[bias_at(g, rows) + k] = weights.bias[k];
  std::memcpy(packed, all.data(), all.size() * sizeof(float));
}

void conv_pointwise_launch(const ConvGeometry& g, int rows, const float* input, float* output, const void* packed,
                           cudaStream_t stream, const ConvResidual& residual) {
  if (!conv_pointwise_supports(g)) throw Error("conv_pointwise: not a 1x1 window of stride 1");
  const auto* const chosen = std::ranges::find(kVariants, rows, &Variant::rows);
  if (chosen == std::end(kVariants)) throw Error("conv_pointwise: no such tile");
  if (g.residual != (residual.data != nullptr))
    throw Error("conv_pointwise: a residual without an address, or the reverse");
  const std::int64_t pixels = std::int64_t{g.batch} * g.p * g.q, row_blocks = (g.k + rows - 1) / rows;
  const std::int64_t blocks = (pixels + kPixels - 1) / kPixels * row_blocks;
  if (pixels > (1 << 30) || blocks > (1 << 30)) throw Error("conv_pointwise: too many outputs");
  const float* const weights = static_cast<const float*>(packed);
  const Params params{.g = g,
                      .steps = depth_of(g) / kDepth,
                      .row_blocks = static_cast<int>(row_blocks),
                      .pixels = static_cast<int>(pixels),
                      .plane = native::FastDiv(static_cast<std::uint32_t>(g.p * g.q)),
                      .input = input,
                      .output = output,
                      .weights = weights,
                      .bias = weights + bias_at(g, rows),
                      .residual = static_cast<const float*>(residual.data)};
  const bool wide = g.p * g.q % 4 == 0 && is_wide(g.in_stride_n, g.in_stride, input) &&
                    is_wide(g.out_stride_n, g.out_stride, output) &&
                    (!g.residual || is_wide(g.residual_stride_n, g.residual_stride, residual.data));
  const KernelFunction kernel = chosen->kernels[wide][g.residual];
  native::allow_all_shared_memory(reinterpret_cast<const void*>(kernel));
  const std::size_t bytes = sizeof(float) * kStages * kDepth * (rows + kPixels);
  native::launch_overlapping(kernel, {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), bytes}, stream, params);
}

}  // namespace opsched
