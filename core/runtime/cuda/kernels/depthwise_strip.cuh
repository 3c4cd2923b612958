// Depthwise convolution of NHWC tensors. Included once per element type.
#pragma once

#include "core/runtime/cuda/kernels/depthwise.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::native {
namespace {

struct StripArgs {
  Window window;
  int lanes, strips_x, rows;      // per block: channel vectors, strips side by side, rows of strips
  FastDiv lanes_div, strips_div;  // by lanes, strips_x
  FastDiv tiles_x;                // blocks side by side
  int channel_vectors;
  bool pre_relu;
  Activation post;
};

/// f(i, j, v, x[i][j][v]), unrolled.
template <int I, int J, int V, class F>
__device__ __forceinline__ void for_each(float (&x)[I][J][V], const F& f) {
#pragma unroll
  for (int i = 0; i < I; ++i) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
#pragma unroll
      for (int v = 0; v < V; ++v) f(i, j, v, x[i][j][v]);
    }
  }
}

/// A thread computes V channels of P neighbouring pixels in R rows. A block computes a tile of pixels, so that its
/// threads share inputs through the L1 cache. A thread reads every input row once and adds it to all the output rows
/// that it contributes to. Where registers allow, all loads are in flight at once.
template <class T, int V, int K, int S, int P, int R, bool kSum>
__global__ void strip_kernel(const __grid_constant__ Sources sources, const T* __restrict__ weights,
                             const float* __restrict__ bias, T* __restrict__ out, std::int64_t out_stride,
                             const __grid_constant__ StripArgs args) {
  constexpr int kSpan = (P - 1) * S + K, kHeight = (R - 1) * S + K;  // a thread's inputs
  constexpr int kWords = (V * sizeof(T) + 3) / 4;                    // registers per vector
  constexpr bool kWeightsAhead = K * K * kWords <= 50;
  constexpr bool kAllAhead = !kSum && kHeight * kSpan * kWords <= 64;
  constexpr int kRowsAhead = kAllAhead ? kHeight : kSum && (R == 1 || K > 3) ? 1 : 2;  // input rows in flight
  constexpr int kSourcesAhead = R == 1 ? 4 : 2;
  const Window& g = args.window;
  std::uint32_t strip = threadIdx.x;
  const int lane = args.lanes_div.split(strip);
  const int strip_x = args.strips_div.split(strip);
  std::uint32_t tile_y = blockIdx.x;
  const int tile_x = args.tiles_x.split(tile_y);
  const int vector = blockIdx.y * args.lanes + lane, c = vector * V;
  const int x0 = (tile_x * args.strips_x + strip_x) * P, y = (tile_y * args.rows + strip) * R;
  const bool active = vector < args.channel_vectors && x0 < g.ow && y < g.oh;
  const std::int64_t n = blockIdx.z;

  // Weights of a small window are converted once if each row of them is used for several output rows.
  constexpr bool kConverted = sizeof(T) == 2 && K == 3 && R > 1;
  Vec<T, V> w[K * K];
  float factors[kConverted ? K * K : 1][V];
  float acc[R][P][V];
  if (active) {
    if constexpr (kWeightsAhead) {
#pragma unroll
      for (int i = 0; i < K * K; ++i) w[i] = load<T, V>(weights + i * g.c + c);
    }
    if constexpr (kConverted) {
#pragma unroll
      for (int i = 0; i < K * K; ++i)
#pragma unroll
        for (int v = 0; v < V; ++v) factors[i][v] = to_float(w[i].v[v]);
    }
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float b = bias[c + v];
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int p = 0; p < P; ++p) acc[r][p][v] = b;
      }
    }
  }
  await_predecessor();
  if (!active) return;

  const int top = y * S - g.ph, left = x0 * S - g.pw;
  const auto inside = [&](int i, int j) {
    return static_cast<unsigned>(top + i) < static_cast<unsigned>(g.h) &&
           static_cast<unsigned>(left + j) < static_cast<unsigned>(g.w);
  };
  const auto corner = [&](int s) {
    return static_cast<const T*>(sources.list[s].data) + ((n * g.h + top) * g.w + left) * sources.list[s].stride + c;
  };
  /// Starts to read rows of a source, from its corner; zeros outside the image.
  const auto read = [&](const T* from, std::int64_t stride, int first, Vec<T, V>(&raw)[kRowsAhead][kSpan]) {
#pragma unroll
    for (int i = 0; i < kRowsAhead && first + i < kHeight; ++i) {
#pragma unroll
      for (int j = 0; j < kSpan; ++j) {
        raw[i][j] = {};
        if (inside(first + i, j)) raw[i][j] = load<T, V>(from + ((first + i) * g.w + j) * stride);
      }
    }
  };
  /// Adds input row i to the output rows that it contributes to.
  const auto add_row = [&](int i, const float(&in)[kSpan][V]) {
    if (!kWeightsAhead && i < K) {
#pragma unroll
      for (int kx = 0; kx < K; ++kx) w[i * K + kx] = load<T, V>(weights + (i * K + kx) * g.c + c);
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int ky = i - r * S;
      if (ky < 0 || ky >= K) continue;
#pragma unroll
      for (int kx = 0; kx < K; ++kx) {
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const float f = kConverted ? factors[kConverted ? ky * K + kx : 0][v] : to_float(w[ky * K + kx].v[v]);
#pragma unroll
          for (int p = 0; p < P; ++p) acc[r][p][v] = fmaf(f, in[p * S + kx][v], acc[r][p][v]);
        }
      }
    }
  };

  const std::int64_t stride = sources.list[0].stride;
  const T* from = corner(0);
#pragma unroll
  for (int first = 0; first < kHeight; first += kRowsAhead) {
    if constexpr (kSum) {
      float in[kRowsAhead][kSpan][V] = {};
#pragma unroll kSourcesAhead
      for (int s = 0; s < sources.count; ++s) {
        Vec<T, V> raw[kRowsAhead][kSpan];
        read(corner(s), sources.list[s].stride, first, raw);
        for_each(in, [&](int i, int j, int v, float& x) { x += to_float(raw[i][j].v[v]); });
      }
      if (args.pre_relu) for_each(in, [](int, int, int, float& x) { x = larger(x, 0.f); });
#pragma unroll
      for (int i = 0; i < kRowsAhead && first + i < kHeight; ++i) add_row(first + i, in[i]);
    } else {
      Vec<T, V> raw[kRowsAhead][kSpan];
      read(from, stride, first, raw);
#pragma unroll
      for (int i = 0; i < kRowsAhead && first + i < kHeight; ++i) {
        float in[kSpan][V];
#pragma unroll
        for (int j = 0; j < kSpan; ++j) {
          if (args.pre_relu) relu(raw[i][j]);
#pragma unroll
          for (int v = 0; v < V; ++v) in[j][v] = to_float(raw[i][j].v[v]);
        }
        add_row(first + i, in);
      }
    }
  }

  with_light(args.post, [&](const auto& f) { for_each(acc, [&](int, int, int, float& x) { x = f(x); }); });
  T* to = out + ((n * g.oh + y) * g.ow + x0) * out_stride + c;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    if (y + r >= g.oh) break;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      if (x0 + p >= g.ow) break;
      store<T, V>(to + (r * g.ow + p) * out_stride, acc[r][p]);
    }
  }
}

/// Plans blocks of about `threads` threads: at most 32 channel vectors, and a tile of pixels about as high as it is
/// wide.
StripArgs plan(const DepthwiseCall& call) {
  const Window& g = call.window;
  const DepthwiseVariant& v = call.variant;
  const auto parts = [](int whole, int limit) {  // length of equal parts of at most `limit`
    const int count = (whole + limit - 1) / limit;
    return (whole + count - 1) / count;
  };
  StripArgs a;
  a.window = g;
  a.pre_relu = call.pre == Activation::relu;
  a.post = call.post;
  a.channel_vectors = g.c / v.vector;
  a.lanes = parts(a.channel_vectors, 32);
  const int strips = (g.ow + v.cols - 1) / v.cols;
  const int tile = std::max(1, v.threads / a.lanes);  // strips per block
  const int strips_y = (g.oh + v.rows - 1) / v.rows;
  int side = v.cols;  // pixels
  while (side * side < tile * v.cols * v.rows) side += v.cols;
  a.strips_x = parts(strips, std::max(1, tile / std::min(strips_y, std::max(1, side / v.rows))));
  a.rows = parts(strips_y, std::max(1, tile / a.strips_x));
  a.lanes_div = FastDiv(a.lanes);
  a.strips_div = FastDiv(a.strips_x);
  a.tiles_x = FastDiv((strips + a.strips_x - 1) / a.strips_x);
  return a;
}

template <class T, int V, int K, int S, int P, int R, bool kSum>
void launch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights, const float* bias,
            T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const StripArgs args = plan(call);
  const int tiles_y = (g.oh + args.rows * R - 1) / (args.rows * R);
  const dim3 blocks(args.tiles_x.divisor * tiles_y, (args.channel_vectors + args.lanes - 1) / args.lanes, g.n);
  const int threads = args.lanes * args.strips_x * args.rows;
  launch_overlapping(strip_kernel<T, V, K, S, P, R, kSum>, {blocks, dim3(threads)}, stream, sources, weights, bias, out,
                     out_stride, args);
}

/// Picks the kernel among the variants that supports() lists.
template <class T, int V, int P, int K>
auto pick_form(const DepthwiseCall& call) {
  if constexpr (V * P == 8) {
    if (call.variant.rows == 4)
      return call.inputs > 1 ? launch<T, V, K, 1, P, 4, true> : launch<T, V, K, 1, P, 4, false>;
  }
  const bool dense = call.window.sh == 1;
  if constexpr (K == 3 || (V <= 2 && P == 2)) {
    if (call.inputs > 1) return dense ? launch<T, V, K, 1, P, 1, true> : launch<T, V, K, 2, P, 1, true>;
  }
  return dense ? launch<T, V, K, 1, P, 1, false> : launch<T, V, K, 2, P, 1, false>;
}

template <class T, int V, int P>
void pick(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights, const float* bias,
          T* out, std::int64_t out_stride) {
  const int k = call.window.kh;
  const auto launch = k == 3   ? pick_form<T, V, P, 3>(call)
                      : k == 5 ? pick_form<T, V, P, 5>(call)
                               : pick_form<T, V, P, 7>(call);
  launch(stream, call, sources, weights, bias, out, out_stride);
}

}  // namespace

template <class T>
void depthwise_strip(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                     const float* bias, T* out, std::int64_t out_stride) {
  const int vector = call.variant.vector, cols = call.variant.cols;
  const auto run = vector == 4                ? pick<T, 4, 2>
                   : vector == 2 && cols == 4 ? pick<T, 2, 4>
                   : vector == 2              ? pick<T, 2, 2>
                   : cols == 4                ? pick<T, 1, 4>
                                              : pick<T, 1, 2>;
  run(stream, call, sources, weights, bias, out, out_stride);
}

}  // namespace opsched::native
