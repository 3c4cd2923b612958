// Depthwise convolution of NHWC tensors. Included once for every element type.
#pragma once

#include "core/runtime/cuda/depthwise.cuh"

namespace opsched::native {
namespace {

struct StripArgs {
  Window window;
  FastDiv channel_vectors, strips, oh;
  std::uint32_t total;
  Activation pre, post;
};

/// A thread does V channels of P neighbouring pixels of a row, and keeps the inputs of a kernel row in
/// registers.
template <class T, int V, int K, int S, int P>
__global__ void strip_kernel(const __grid_constant__ Sources sources, const T* __restrict__ weights,
                             const float* __restrict__ bias, T* __restrict__ out, std::int64_t out_stride,
                             const __grid_constant__ StripArgs args) {
  constexpr int kSpan = (P - 1) * S + K;
  const Window& g = args.window;
  std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= args.total) return;
  const int c = args.channel_vectors.split(i) * V;
  const int x0 = args.strips.split(i) * P, y = args.oh.split(i);
  const std::int64_t n = i;
  float acc[P][V];
#pragma unroll
  for (int v = 0; v < V; ++v) {
    const float b = bias[c + v];
#pragma unroll
    for (int p = 0; p < P; ++p) acc[p][v] = b;
  }
  const int left = x0 * S - g.pw;
#pragma unroll
  for (int ky = 0; ky < K; ++ky) {
    const int iy = y * S + ky - g.ph;
    if (static_cast<unsigned>(iy) >= static_cast<unsigned>(g.h)) continue;
    const std::int64_t pixel = (n * g.h + iy) * g.w + left;
    float in[kSpan][V] = {};
    for (int s = 0; s < sources.count; ++s) {
      const std::int64_t stride = sources.list[s].stride;
      const T* from = static_cast<const T*>(sources.list[s].data) + pixel * stride + c;
#pragma unroll
      for (int j = 0; j < kSpan; ++j) {
        if (static_cast<unsigned>(left + j) >= static_cast<unsigned>(g.w)) continue;
        const auto x = load<T, V>(from + j * stride);
#pragma unroll
        for (int v = 0; v < V; ++v) in[j][v] += to_float(x.v[v]);
      }
    }
    if (args.pre != Activation::none) {
#pragma unroll
      for (int j = 0; j < kSpan; ++j) {
#pragma unroll
        for (int v = 0; v < V; ++v) in[j][v] = activate(args.pre, in[j][v]);
      }
    }
#pragma unroll
    for (int kx = 0; kx < K; ++kx) {
      const auto w = load<T, V>(weights + (ky * K + kx) * g.c + c);
#pragma unroll
      for (int p = 0; p < P; ++p) {
#pragma unroll
        for (int v = 0; v < V; ++v) acc[p][v] = fmaf(to_float(w.v[v]), in[p * S + kx][v], acc[p][v]);
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

template <class T, int V, int K, int S, int P>
void launch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights, const float* bias,
            T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  StripArgs args;
  args.window = g;
  args.pre = call.pre;
  args.post = call.post;
  const int strips = (g.ow + P - 1) / P;
  args.channel_vectors = FastDiv(g.c / V);
  args.strips = FastDiv(strips);
  args.oh = FastDiv(g.oh);
  const std::int64_t total = std::int64_t{g.n} * g.oh * strips * (g.c / V);
  const int blocks = blocks_for(total, call.variant.threads);
  args.total = static_cast<std::uint32_t>(total);
  strip_kernel<T, V, K, S, P>
      <<<blocks, call.variant.threads, 0, stream>>>(sources, weights, bias, out, out_stride, args);
}

template <class T, int V, int K, int S>
auto pick_cols(int cols) {
  // Only what DepthwiseVariant lists is compiled.
  if constexpr (V >= 4) {
    if (cols == 1) return launch<T, V, K, S, 1>;
  }
  if constexpr (V == 2 || V == 4) {
    if (cols == 4) return launch<T, V, K, S, 4>;
  }
  return launch<T, V, K, S, 2>;
}

template <class T, int V>
auto pick(const DepthwiseCall& call) {
  const Window& g = call.window;
  const int cols = call.variant.cols;
  if (g.kh == 3) return g.sh == 1 ? pick_cols<T, V, 3, 1>(cols) : pick_cols<T, V, 3, 2>(cols);
  if (g.kh == 5) return g.sh == 1 ? pick_cols<T, V, 5, 1>(cols) : pick_cols<T, V, 5, 2>(cols);
  return g.sh == 1 ? pick_cols<T, V, 7, 1>(cols) : pick_cols<T, V, 7, 2>(cols);
}

}  // namespace

template <class T>
void depthwise_strip(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
                     const float* bias, T* out, std::int64_t out_stride) {
  auto launch = pick<T, 1>(call);
  if (call.variant.vector == 2) launch = pick<T, 2>(call);
  if (call.variant.vector == 4) launch = pick<T, 4>(call);
  if constexpr (sizeof(T) == 2) {
    if (call.variant.vector == 8) launch = pick<T, 8>(call);
  }
  launch(stream, call, sources, weights, bias, out, out_stride);
}

}  // namespace opsched::native
