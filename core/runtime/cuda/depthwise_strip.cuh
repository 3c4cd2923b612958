// Depthwise convolution of NHWC tensors. Included once for every element type.
#pragma once

#include "core/runtime/cuda/depthwise.cuh"
#include "core/runtime/cuda/launch.cuh"

namespace opsched::native {
namespace {

struct StripArgs {
  Window window;
  int lanes, strips_x, rows;      // of a block: channel vectors, strips side by side, rows
  FastDiv lanes_div, strips_div;  // by lanes, strips_x
  FastDiv tiles_x;                // blocks side by side
  int channel_vectors;
  Activation pre, post;
};

/// relu of every element as stored; NaN stays.
template <class T, int V>
__device__ __forceinline__ void relu(Vec<T, V>& x) {
  if constexpr (sizeof(T) == 4) {
#pragma unroll
    for (int v = 0; v < V; ++v) x.v[v] = activate(Activation::relu, x.v[v]);
  } else if constexpr (V == 1) {
    x.v[0] = __hmax_nan(x.v[0], __half(0.f));
  } else {
    auto* pairs = reinterpret_cast<__half2*>(x.v);
#pragma unroll
    for (int v = 0; v < V / 2; ++v) pairs[v] = __hmax2_nan(pairs[v], __half2(0.f, 0.f));
  }
}

/// A thread does V channels of P neighbouring pixels of a row; a block a tile of pixels, so that what
/// its threads share comes from the L1 cache. Where registers allow, all loads are in flight at once.
template <class T, int V, int K, int S, int P, bool kSum>
__global__ void strip_kernel(const __grid_constant__ Sources sources, const T* __restrict__ weights,
                             const float* __restrict__ bias, T* __restrict__ out, std::int64_t out_stride,
                             const __grid_constant__ StripArgs args) {
  constexpr int kSpan = (P - 1) * S + K;
  constexpr int kWords = (V * sizeof(T) + 3) / 4;  // registers of a vector
  constexpr bool kWeightsAhead = K * K * kWords <= 50;
  constexpr int kRowsAhead = K * kSpan * kWords <= 64 ? K : 2;  // rows of inputs in flight
  const Window& g = args.window;
  std::uint32_t strip = threadIdx.x;
  const int lane = args.lanes_div.split(strip);
  const int strip_x = args.strips_div.split(strip);
  std::uint32_t tile_y = blockIdx.x;
  const int tile_x = args.tiles_x.split(tile_y);
  const int vector = blockIdx.y * args.lanes + lane, c = vector * V;
  const int x0 = (tile_x * args.strips_x + strip_x) * P, y = tile_y * args.rows + strip;
  const bool active = vector < args.channel_vectors && x0 < g.ow && y < g.oh;
  const std::int64_t n = blockIdx.z;

  Vec<T, V> w[kWeightsAhead ? K * K : K];
  float acc[P][V];
  if (active) {
    if constexpr (kWeightsAhead) {
#pragma unroll
      for (int i = 0; i < K * K; ++i) w[i] = load<T, V>(weights + i * g.c + c);
    }
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float b = bias[c + v];
#pragma unroll
      for (int p = 0; p < P; ++p) acc[p][v] = b;
    }
  }
  await_predecessor();
  if (!active) return;

  const int top = y * S - g.ph, left = x0 * S - g.pw;
  const auto inside = [&](int ky, int j) {
    return static_cast<unsigned>(top + ky) < static_cast<unsigned>(g.h) &&
           static_cast<unsigned>(left + j) < static_cast<unsigned>(g.w);
  };
  const auto corner = [&](int s) {
    return static_cast<const T*>(sources.list[s].data) + ((n * g.h + top) * g.w + left) * sources.list[s].stride + c;
  };
  /// Row ky of the kernel on one row of inputs.
  const auto add_row = [&](int ky, const float(&in)[kSpan][V]) {
    if constexpr (!kWeightsAhead) {
#pragma unroll
      for (int kx = 0; kx < K; ++kx) w[kx] = load<T, V>(weights + (ky * K + kx) * g.c + c);
    }
#pragma unroll
    for (int kx = 0; kx < K; ++kx) {
      const auto& tap = w[kWeightsAhead ? ky * K + kx : kx];
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const float f = to_float(tap.v[v]);
#pragma unroll
        for (int p = 0; p < P; ++p) acc[p][v] = fmaf(f, in[p * S + kx][v], acc[p][v]);
      }
    }
  };

  if constexpr (kSum) {
#pragma unroll
    for (int ky = 0; ky < K; ++ky) {
      float in[kSpan][V] = {};
#pragma unroll 4
      for (int s = 0; s < sources.count; ++s) {
        const std::int64_t stride = sources.list[s].stride;
        const T* from = corner(s) + ky * g.w * stride;
        Vec<T, V> raw[kSpan];
#pragma unroll
        for (int j = 0; j < kSpan; ++j) {
          raw[j] = {};
          if (inside(ky, j)) raw[j] = load<T, V>(from + j * stride);
        }
#pragma unroll
        for (int j = 0; j < kSpan; ++j) {
#pragma unroll
          for (int v = 0; v < V; ++v) in[j][v] += to_float(raw[j].v[v]);
        }
      }
      if (args.pre != Activation::none) {
#pragma unroll
        for (int j = 0; j < kSpan; ++j) {
#pragma unroll
          for (int v = 0; v < V; ++v) in[j][v] = activate(args.pre, in[j][v]);
        }
      }
      add_row(ky, in);
    }
  } else {
    const std::int64_t stride = sources.list[0].stride;
    const T* from = corner(0);
#pragma unroll
    for (int first = 0; first < K; first += kRowsAhead) {
      Vec<T, V> raw[kRowsAhead][kSpan];
#pragma unroll
      for (int r = 0; r < kRowsAhead && first + r < K; ++r) {
#pragma unroll
        for (int j = 0; j < kSpan; ++j) {
          raw[r][j] = {};
          if (inside(first + r, j)) raw[r][j] = load<T, V>(from + ((first + r) * g.w + j) * stride);
        }
      }
#pragma unroll
      for (int r = 0; r < kRowsAhead && first + r < K; ++r) {
        float in[kSpan][V];
#pragma unroll
        for (int j = 0; j < kSpan; ++j) {
          if (args.pre == Activation::relu) relu(raw[r][j]);
#pragma unroll
          for (int v = 0; v < V; ++v) in[j][v] = to_float(raw[r][j].v[v]);
        }
        add_row(first + r, in);
      }
    }
  }

  T* to = out + ((n * g.oh + y) * g.ow + x0) * out_stride + c;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    if (x0 + p >= g.ow) break;
#pragma unroll
    for (int v = 0; v < V; ++v) acc[p][v] = activate(args.post, acc[p][v]);
    store<T, V>(to + p * out_stride, acc[p]);
  }
}

/// Blocks of about `threads` threads: at most 32 channel vectors, and a tile of pixels that is about
/// as high as it is wide.
StripArgs plan(const DepthwiseCall& call) {
  const Window& g = call.window;
  const DepthwiseVariant& v = call.variant;
  const auto parts = [](int whole, int limit) {  // the length of equal parts of at most `limit`
    const int count = (whole + limit - 1) / limit;
    return (whole + count - 1) / count;
  };
  StripArgs a;
  a.window = g;
  a.pre = call.pre;
  a.post = call.post;
  a.channel_vectors = g.c / v.vector;
  a.lanes = parts(a.channel_vectors, 32);
  const int strips = (g.ow + v.cols - 1) / v.cols;
  const int tile = std::max(1, v.threads / a.lanes);  // strips of a block
  int side = 1;
  while (side * side * v.cols < tile) ++side;
  a.strips_x = parts(strips, std::max(1, tile / std::min(g.oh, std::max(1, side * v.cols))));
  a.rows = parts(g.oh, std::max(1, tile / a.strips_x));
  a.lanes_div = FastDiv(a.lanes);
  a.strips_div = FastDiv(a.strips_x);
  a.tiles_x = FastDiv((strips + a.strips_x - 1) / a.strips_x);
  return a;
}

template <class T, int V, int K, int S, int P, bool kSum>
void launch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights, const float* bias,
            T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const StripArgs args = plan(call);
  const int tiles_y = (g.oh + args.rows - 1) / args.rows;
  const dim3 blocks(args.tiles_x.divisor * tiles_y, (args.channel_vectors + args.lanes - 1) / args.lanes, g.n);
  const int threads = args.lanes * args.strips_x * args.rows;
  launch_overlapping(strip_kernel<T, V, K, S, P, kSum>, {blocks, dim3(threads)}, stream, sources, weights, bias, out,
                     out_stride, args);
}

template <class T, int V, int P, int K>
auto pick_stride(int stride, bool sum) {
  if constexpr (K == 3 || (V <= 2 && P == 2)) {  // as supports() says
    if (sum) return stride == 1 ? launch<T, V, K, 1, P, true> : launch<T, V, K, 2, P, true>;
  }
  return stride == 1 ? launch<T, V, K, 1, P, false> : launch<T, V, K, 2, P, false>;
}

template <class T, int V, int P>
void pick(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights, const float* bias,
          T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const auto launch = g.kh == 3   ? pick_stride<T, V, P, 3>(g.sh, call.sum)
                      : g.kh == 5 ? pick_stride<T, V, P, 5>(g.sh, call.sum)
                                  : pick_stride<T, V, P, 7>(g.sh, call.sum);
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
