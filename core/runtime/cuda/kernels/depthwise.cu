// Depthwise convolution: dispatch, and the kernel for every geometry.
#include "core/runtime/cuda/kernels/depthwise.cuh"

#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::native {
namespace {

struct GenericArgs {
  Window window;
  FastDiv channel_vectors, oh, ow;
  std::uint32_t total;
  Activation pre, post;
};

/// Any window and activation. A thread computes V channels of one output pixel; neighbouring threads are neighbours in
/// memory.
template <class T, int V, bool kChannelsLast>
__global__ void generic_kernel(const __grid_constant__ Sources sources, const T* __restrict__ weights,
                               const float* __restrict__ bias, T* __restrict__ out, std::int64_t out_stride,
                               const __grid_constant__ GenericArgs args) {
  static_assert(V == 1 || kChannelsLast);
  await_predecessor();
  const Window& g = args.window;
  std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= args.total) return;
  int c, x, y;
  if constexpr (kChannelsLast) {
    c = args.channel_vectors.split(i) * V;
    x = args.ow.split(i);
    y = args.oh.split(i);
  } else {
    x = args.ow.split(i);
    y = args.oh.split(i);
    c = args.channel_vectors.split(i);
  }
  const std::int64_t n = i;
  float acc[V];
#pragma unroll
  for (int v = 0; v < V; ++v) acc[v] = bias[c + v];
  for (int ky = 0; ky < g.kh; ++ky) {
    const int iy = y * g.sh + ky * g.dh - g.ph;
    if (iy < 0 || iy >= g.h) continue;
    for (int kx = 0; kx < g.kw; ++kx) {
      const int ix = x * g.sw + kx * g.dw - g.pw;
      if (ix < 0 || ix >= g.w) continue;
      float in[V] = {};
      for (int s = 0; s < sources.count; ++s) {
        const auto& source = sources.list[s];
        const std::int64_t at = kChannelsLast ? ((n * g.h + iy) * g.w + ix) * source.stride + c
                                              : n * source.stride + c * g.in_plane + std::int64_t{iy} * g.w + ix;
        const auto value = load<T, V>(static_cast<const T*>(source.data) + at);
#pragma unroll
        for (int v = 0; v < V; ++v) in[v] += to_float(value.v[v]);
      }
      activate_all(args.pre, in);
      const auto weight = load<T, V>(weights + (kChannelsLast ? std::int64_t{ky * g.kw + kx} * g.c + c
                                                              : (std::int64_t{c} * g.kh + ky) * g.kw + kx));
#pragma unroll
      for (int v = 0; v < V; ++v) acc[v] = fmaf(to_float(weight.v[v]), in[v], acc[v]);
    }
  }
  activate_all(args.post, acc);
  store<T, V>(out + (kChannelsLast ? ((n * g.oh + y) * g.ow + x) * out_stride + c
                                   : n * out_stride + c * g.out_plane + std::int64_t{y} * g.ow + x),
              acc);
}

template <class T>
void generic(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
             const float* bias, T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const int threads = call.variant.threads, vectors = g.c / call.variant.vector;
  const std::int64_t total = std::int64_t{g.n} * vectors * g.oh * g.ow;
  const dim3 blocks(blocks_for(total, threads));
  const GenericArgs args{g,        FastDiv(vectors), FastDiv(g.oh), FastDiv(g.ow), static_cast<std::uint32_t>(total),
                         call.pre, call.post};
  const auto run = [&](auto kernel) {
    launch_overlapping(kernel, {blocks, dim3(threads)}, stream, sources, weights, bias, out, out_stride, args);
  };
  if (call.layout == TensorFormat::nchw) return run(generic_kernel<T, 1, false>);
  with_vector(sizeof(T) == 2, call.variant.vector, [&](auto element, auto vector) {
    if constexpr (std::is_same_v<decltype(element), T>) run(generic_kernel<T, vector.value, true>);
  });
}

template <class T>
void dispatch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const void* weights,
              const float* bias, void* out, std::int64_t out_stride) {
  const T* w = static_cast<const T*>(weights);
  T* y = static_cast<T*>(out);
  if (call.variant.kind == DepthwiseVariant::Kind::strip) {
    depthwise_strip<T>(stream, call, sources, w, bias, y, out_stride);
  } else if (call.variant.kind == DepthwiseVariant::Kind::tile) {
    depthwise_tile<T>(stream, call, sources, w, bias, y, out_stride);
  } else {
    generic<T>(stream, call, sources, w, bias, y, out_stride);
  }
}

}  // namespace

bool supports(const DepthwiseCall& call) {
  const Window& g = call.window;
  const DepthwiseVariant& v = call.variant;
  const bool common = g.kh == g.kw && g.sh == g.sw && (g.kh == 3 || g.kh == 5 || g.kh == 7) &&
                      (g.sh == 1 || g.sh == 2) && g.dh == 1 && g.dw == 1 && is_plain(call.pre) && is_light(call.post);
  switch (v.kind) {
    case DepthwiseVariant::Kind::tiled:
      return common && call.layout == TensorFormat::nchw && !call.half && g.n < 65536;
    case DepthwiseVariant::Kind::planes:
      return common && supports_planes(call);
    case DepthwiseVariant::Kind::strip:
      if (!common || call.layout != TensorFormat::nhwc || g.n >= 65536 || g.c % v.vector != 0 || v.vector > 4)
        return false;
      if (v.cols != 2 && (v.cols != 4 || v.vector > 2)) return false;
      if (v.rows == 4) return g.sh == 1 && v.vector * v.cols == 8;
      return v.rows == 1 && (call.inputs == 1 || g.kh == 3 || (v.vector <= 2 && v.cols == 2));
    case DepthwiseVariant::Kind::tile:
      return common && call.layout == TensorFormat::nhwc && call.inputs <= (g.kh == 3 ? kMostTileInputs : 1) &&
             g.n < 65536 && g.oh < 65536 && g.ph < g.kh && g.c % (call.half ? 8 : 4) == 0 && v.vector == 2 &&
             v.cols == 4 && v.rows > 0 && v.threads >= 32 && v.threads <= 256;
    case DepthwiseVariant::Kind::generic:
      return v.vector == 1 ||
             (call.layout == TensorFormat::nhwc && g.c % v.vector == 0 && v.vector <= (call.half ? 8 : 4));
  }
  return false;
}

void depthwise(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const void* weights,
               const float* bias, void* out, std::int64_t out_stride) {
  using Kind = DepthwiseVariant::Kind;
  if (call.variant.kind == Kind::tiled || call.variant.kind == Kind::planes) {
    (call.variant.kind == Kind::tiled ? depthwise_tiled : depthwise_planes)(
        stream, call, sources, static_cast<const float*>(weights), bias, static_cast<float*>(out), out_stride);
  } else {
    (call.half ? dispatch<__half> : dispatch<float>)(stream, call, sources, weights, bias, out, out_stride);
  }
}

}  // namespace opsched::native
