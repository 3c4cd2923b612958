// Depthwise convolution of large NHWC tensors through shared memory. Included once per element type.
#pragma once

#include <algorithm>

#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/depthwise.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::native {
namespace {

constexpr int kVector = 2;              // channels per thread: more would not leave registers for the weights of 7x7
constexpr int kUnit = 16;               // bytes per asynchronous copy
constexpr int kUnits = 8;               // at most, per pixel and block
constexpr int kPixel = kUnits * kUnit;  // bytes of an input's pixel in shared memory: constant, for constant offsets
constexpr int kStages = 3;              // of the pipeline: two are on their way while one is read
constexpr int kMostThreads = 256;
constexpr int kSharedLimit = 96 << 10;  // bytes; every GPU since sm_80 has more

struct TileArgs {
  Window window;
  int rows;                    // of outputs, per block
  int width;                   // of the tile, in input pixels
  int strips;                  // side by side in a block
  int units, channel_vectors;  // of the tensor
  FastDiv block_units, lanes;  // 16-byte units and channel vectors per block
  FastDiv groups;              // of channels
  Activation post;
};

/// The inputs behind the first of N.
template <int N>
struct MoreInputs {
  Sources::Source list[std::max(1, N - 1)];  // not empty, as arrays may not be
};

/// A stage: the input rows of this many output rows. With several inputs fewer, or blocks would be narrow or few.
template <int K, int S, int N>
constexpr int kStageSteps = S == 2   ? 1
                            : K == 3 ? std::max(1, 4 / N)
                                     : 2;

template <int K, int S, int N>
constexpr int stage_bytes(int width) {
  return kStageSteps<K, S, N> * S * width * N * kPixel;
}

/// Channels of a pixel: the sum of N inputs in fp32, then ReLU.
template <class T, int N, bool kRelu>
__device__ __forceinline__ void read_sum(const unsigned char* pixel, float (&x)[kVector]) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
    auto raw = *reinterpret_cast<const Vec<T, kVector>*>(pixel + n * kPixel);
    if constexpr (N == 1 && kRelu) relu(raw);
#pragma unroll
    for (int v = 0; v < kVector; ++v) x[v] = n == 0 ? to_float(raw.v[v]) : x[v] + to_float(raw.v[v]);
  }
  if constexpr (N > 1 && kRelu) for_all(x, [](float v) { return larger(v, 0.f); });
}

/// A block computes a group of channels of P * strips columns, from top to bottom. Rows of inputs flow through shared
/// memory, so each is read once and the next are on their way meanwhile. A thread computes two channels of P
/// neighbouring columns. It keeps the weights and the sums of all the output rows that the next input row contributes
/// to in registers. The N inputs of a pixel lie side by side in shared memory; every thread adds them for itself.
template <class T, int K, int S, int P, int N, bool kRelu>
__global__ void __launch_bounds__(kMostThreads)
    tile_kernel(const T* __restrict__ in, std::int64_t in_stride, const T* __restrict__ weights,
                const float* __restrict__ bias, T* __restrict__ out, std::int64_t out_stride,
                const __grid_constant__ TileArgs args, const __grid_constant__ MoreInputs<N> more) {
  constexpr int V = kVector, kSpan = (P - 1) * S + K;  // a thread's inputs in a row
  constexpr int kLive = (K + S - 1) / S;               // output rows that an input row contributes to
  constexpr int kSteps = kStageSteps<K, S, N>, kRows = kSteps * S;
  constexpr int kPixels = N * kPixel;  // bytes from pixel to pixel
  extern __shared__ __align__(16) unsigned char shared[];
  const Window& g = args.window;
  std::uint32_t strip = threadIdx.x, column = threadIdx.x, tile = blockIdx.x;
  const int lane = args.lanes.split(strip);
  const int unit = args.block_units.split(column);
  const int group = args.groups.split(tile);
  const int vector = group * args.lanes.divisor + lane, c = vector * V;
  const int first_x = tile * args.strips * P, x = first_x + strip * P;
  const int first_y = blockIdx.y * args.rows, end_y = min(first_y + args.rows, g.oh);
  const bool active = vector < args.channel_vectors && x < g.ow;

  float w[K * K][V] = {}, start[V] = {};
  if (active) {
#pragma unroll
    for (int i = 0; i < K * K; ++i) {
      const auto raw = load<T, V>(weights + i * g.c + c);
#pragma unroll
      for (int v = 0; v < V; ++v) w[i][v] = to_float(raw.v[v]);
    }
#pragma unroll
    for (int v = 0; v < V; ++v) start[v] = bias[c + v];
  }
  await_predecessor();

  // Step i takes S input rows, from top + i * S, and completes output row first_y - (kLive - 1) + i. Steps before
  // `begin` have only rows of padding, which change nothing; steps from `end` too, but they complete rows.
  const int top = (first_y - kLive + 1) * S + K - S - g.ph, steps = end_y - first_y + kLive - 1;
  const int least = max(0, first_y * S - g.ph), bottom = min(g.h, (end_y - 1) * S - g.ph + K);
  const int begin = (least - top) / S, end = max(begin, (bottom - top + S - 1) / S);

  const int left = first_x * S - g.pw, columns = blockDim.x / args.block_units.divisor;  // columns copied at a time
  const int tensor_unit = group * args.block_units.divisor + unit;
  const std::int64_t first = std::int64_t{blockIdx.z} * g.h * g.w + left;  // pixel
  const int channel = tensor_unit * (kUnit / int{sizeof(T)});
  const T* const from = in + first * in_stride + channel;
  const unsigned pitch = args.width * kPixels, own_tile = shared_address(shared) + unit * kUnit;
  /// Starts to copy the rows of a stage; zeros outside the image.
  const auto copy = [&](int stage, int slot) {
    const int step = begin + stage * kSteps;
    if (tensor_unit < args.units && step < end) {
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        const int y = top + step * S + i;
        const bool exists = y >= least && y < bottom;
        const T* const row = from + std::int64_t{y} * g.w * in_stride;
        const std::int64_t line = first + std::int64_t{y} * g.w;
        const unsigned to = own_tile + (slot * kRows + i) * pitch;
        for (int j = column; j < args.width; j += columns) {
          const int used = exists && static_cast<unsigned>(left + j) < static_cast<unsigned>(g.w) ? kUnit : 0;
          copy_async<kUnit>(to + j * kPixels, row + j * in_stride, used);
#pragma unroll
          for (int n = 1; n < N; ++n) {
            const Sources::Source& source = more.list[n - 1];
            copy_async<kUnit>(to + j * kPixels + n * kPixel,
                              static_cast<const T*>(source.data) + (line + j) * source.stride + channel, used);
          }
        }
      }
    }
    close_copies();
  };
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) copy(stage, stage);

  float sums[kLive][P][V];
  /// Moves on by one output row, whose sums become those at 0.
  const auto advance = [&] {
#pragma unroll
    for (int d = 0; d < kLive; ++d)
#pragma unroll
      for (int p = 0; p < P; ++p)
#pragma unroll
        for (int v = 0; v < V; ++v) sums[d][p][v] = d + 1 < kLive ? sums[d + 1][p][v] : start[v];
  };
#pragma unroll
  for (int d = 0; d < kLive; ++d) advance();
  /// Adds an input row, the s-th of a step.
  const auto add_row = [&](int s, const unsigned char* row) {
    float x[kSpan][V];
#pragma unroll
    for (int j = 0; j < kSpan; ++j) read_sum<T, N, kRelu>(row + j * kPixels, x[j]);
#pragma unroll
    for (int d = 0; d < kLive; ++d) {
      const int ky = K - S + s - d * S;
      if (ky < 0) continue;
#pragma unroll
      for (int kx = 0; kx < K; ++kx)
#pragma unroll
        for (int v = 0; v < V; ++v)
#pragma unroll
          for (int p = 0; p < P; ++p) sums[d][p][v] = fmaf(w[ky * K + kx][v], x[p * S + kx][v], sums[d][p][v]);
    }
  };
  T* to = out + ((std::int64_t{blockIdx.z} * g.oh + first_y) * g.ow + x) * out_stride + c;
  /// Writes the output row that a step has completed.
  const auto finish = [&](int step) {
    if (step < kLive - 1 || !active) return;
    with_light(args.post, [&](const auto& f) {
#pragma unroll
      for (int p = 0; p < P; ++p) for_all(sums[0][p], f);
    });
#pragma unroll
    for (int p = 0; p < P; ++p)
      if (x + p < g.ow) store<T, V>(to + p * out_stride, sums[0][p]);
    to += g.ow * out_stride;
  };

  const unsigned char* const corner = shared + strip * (P * S * kPixels) + lane * int{sizeof(T) * V};
  int step = begin, slot = 0;
  for (int stage = 0; step < end; ++stage) {
    await_copies<kStages - 2>();
    __syncthreads();  // this stage has arrived, and nobody reads the one before it any more
    copy(stage + kStages - 1, slot == 0 ? kStages - 1 : slot - 1);
    const unsigned char* row = corner + slot * kRows * pitch;
    const int pause = min(step + kSteps, end);
#pragma unroll 1
    do {
      advance();
#pragma unroll
      for (int s = 0; s < S; ++s, row += pitch) add_row(s, row);
      finish(step);
    } while (++step < pause);
    slot = slot + 1 == kStages ? 0 : slot + 1;
  }
#pragma unroll 1
  for (; step < steps; ++step) {
    advance();
    finish(step);
  }
}

/// Plans blocks of at most `threads` threads, all of about the same size.
template <class T, int K, int S, int P, int N>
TileArgs plan_tiles(const DepthwiseCall& call) {
  const Window& g = call.window;
  const auto divide_up = [](int a, int b) { return (a + b - 1) / b; };
  const auto parts = [&](int whole, int limit) { return divide_up(whole, divide_up(whole, limit)); };  // equal parts
  TileArgs a;
  a.window = g;
  a.post = call.post;
  a.units = g.c * int{sizeof(T)} / kUnit;
  a.channel_vectors = g.c / kVector;
  const int units = parts(a.units, kUnits), lanes = units * kUnit / int{sizeof(T) * kVector};
  a.block_units = FastDiv(units);
  a.lanes = FastDiv(lanes);
  a.groups = FastDiv(divide_up(a.units, units));
  a.rows = parts(g.oh, call.variant.rows);
  const auto width = [&](int strips) { return (strips * P - 1) * S + K; };
  int most = std::max(1, call.variant.threads / lanes);
  while (most > 1 && kStages * stage_bytes<K, S, N>(width(most)) > kSharedLimit) --most;
  a.strips = parts(divide_up(g.ow, P), most);
  a.width = width(a.strips);
  return a;
}

template <class T, int K, int S, int P, int N, bool kRelu>
void launch_tiles(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                  const float* bias, T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const TileArgs args = plan_tiles<T, K, S, P, N>(call);
  const int tiles_x = (g.ow + args.strips * P - 1) / (args.strips * P);
  const dim3 blocks(args.groups.divisor * tiles_x, (g.oh + args.rows - 1) / args.rows, g.n);
  const dim3 threads(args.lanes.divisor * args.strips);
  const std::size_t bytes = kStages * stage_bytes<K, S, N>(args.width);
  auto* const kernel = tile_kernel<T, K, S, P, N, kRelu>;
  // Always the largest limit: a lower one would break graph nodes that need more.
  OPSCHED_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedLimit));
  MoreInputs<N> more{};
  std::copy_n(sources.list + 1, N - 1, more.list);
  const auto& [in, in_stride] = sources.list[0];
  launch_overlapping(kernel, {blocks, threads, bytes}, stream, static_cast<const T*>(in), in_stride, weights, bias, out,
                     out_stride, args, more);
}

template <class T, int K, int S, int N>
auto pick_relu(const DepthwiseCall& call) {
  return call.pre == Activation::relu ? launch_tiles<T, K, S, 4, N, true> : launch_tiles<T, K, S, 4, N, false>;
}

/// Picks the kernel among those that supports() allows.
template <class T, int K, int S>
auto pick_tile(const DepthwiseCall& call) {
  static_assert(kMostTileInputs == 5);
  if constexpr (K == 3) {
    if (call.inputs == 2) return pick_relu<T, K, S, 2>(call);
    if (call.inputs == 3) return pick_relu<T, K, S, 3>(call);
    if (call.inputs == 4) return pick_relu<T, K, S, 4>(call);
    if (call.inputs == 5) return pick_relu<T, K, S, 5>(call);
  }
  return pick_relu<T, K, S, 1>(call);
}

}  // namespace

template <class T>
void depthwise_tile(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                    const float* bias, T* out, std::int64_t out_stride) {
  const int k = call.window.kh;
  const bool dense = call.window.sh == 1;
  const auto run = k == 3   ? dense ? pick_tile<T, 3, 1>(call) : pick_tile<T, 3, 2>(call)
                     : k == 5 ? dense ? pick_tile<T, 5, 1>(call) : pick_tile<T, 5, 2>(call)
                     : dense ? pick_tile<T, 7, 1>(call)
                            : pick_tile<T, 7, 2>(call);
  run(stream, call, sources, weights, bias, out, out_stride);
}

}  // namespace opsched::native
