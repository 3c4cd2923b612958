// Depthwise convolution: dispatch, and the kernel for every geometry.
#include "core/runtime/cuda/kernels/depthwise.cuh"

#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::native {
namespace {

struct GenericArgs {
  Window window;
  FastDiv channels, oh, ow;
  std::uint32_t total;
  Activation pre, post;
};

/// A thread an output; neighbouring threads are neighbours in memory.
template <class T, bool kChannelsLast>
__global__ void generic_kernel(const __grid_constant__ Sources sources, const T* __restrict__ weights,
                               const float* __restrict__ bias, T* __restrict__ out, std::int64_t out_stride,
                               const __grid_constant__ GenericArgs args) {
  await_predecessor();
  const Window& g = args.window;
  std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= args.total) return;
  int c, x, y;
  if constexpr (kChannelsLast) {
    c = args.channels.split(i);
    x = args.ow.split(i);
    y = args.oh.split(i);
  } else {
    x = args.ow.split(i);
    y = args.oh.split(i);
    c = args.channels.split(i);
  }
  const std::int64_t n = i;
  float acc = bias[c];
  for (int ky = 0; ky < g.kh; ++ky) {
    const int iy = y * g.sh + ky - g.ph;
    if (iy < 0 || iy >= g.h) continue;
    for (int kx = 0; kx < g.kw; ++kx) {
      const int ix = x * g.sw + kx - g.pw;
      if (ix < 0 || ix >= g.w) continue;
      float in = 0.f;
      for (int s = 0; s < sources.count; ++s) {
        const auto& source = sources.list[s];
        const std::int64_t at = kChannelsLast ? ((n * g.h + iy) * g.w + ix) * source.stride + c
                                              : n * source.stride + (std::int64_t{c} * g.h + iy) * g.w + ix;
        in += to_float(static_cast<const T*>(source.data)[at]);
      }
      const int at = kChannelsLast ? (ky * g.kw + kx) * g.c + c : (c * g.kh + ky) * g.kw + kx;
      acc = fmaf(to_float(weights[at]), activate(args.pre, in), acc);
    }
  }
  const std::int64_t at = kChannelsLast ? ((n * g.oh + y) * g.ow + x) * out_stride + c
                                        : n * out_stride + (std::int64_t{c} * g.oh + y) * g.ow + x;
  out[at] = from_float<T>(activate(args.post, acc));
}

template <class T>
void generic(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const T* weights,
             const float* bias, T* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const int threads = call.variant.threads;
  const std::int64_t total = std::int64_t{g.n} * g.c * g.oh * g.ow;
  const int blocks = blocks_for(total, threads);
  GenericArgs args{g,        FastDiv(g.c), FastDiv(g.oh), FastDiv(g.ow), static_cast<std::uint32_t>(total),
                   call.pre, call.post};
  const auto kernel = call.layout == TensorFormat::nhwc ? generic_kernel<T, true> : generic_kernel<T, false>;
  launch_overlapping(kernel, {dim3(blocks), dim3(threads)}, stream, sources, weights, bias, out, out_stride, args);
}

template <class T>
void dispatch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const void* weights,
              const float* bias, void* out, std::int64_t out_stride) {
  const T* w = static_cast<const T*>(weights);
  T* y = static_cast<T*>(out);
  if (call.variant.kind == DepthwiseVariant::Kind::strip) {
    depthwise_strip<T>(stream, call, sources, w, bias, y, out_stride);
  } else {
    generic<T>(stream, call, sources, w, bias, y, out_stride);
  }
}

}  // namespace

bool supports(const DepthwiseCall& call) {
  const Window& g = call.window;
  const DepthwiseVariant& v = call.variant;
  const bool common = g.kh == g.kw && g.sh == g.sw && (g.kh == 3 || g.kh == 5 || g.kh == 7) && (g.sh == 1 || g.sh == 2);
  switch (v.kind) {
    case DepthwiseVariant::Kind::tiled:
      return common && call.layout == TensorFormat::nchw && !call.half && g.n < 65536;
    case DepthwiseVariant::Kind::strip:
      if (!common || call.layout != TensorFormat::nhwc || g.n >= 65536 || g.c % v.vector != 0 || v.vector > 4)
        return false;
      if (v.cols != 2 && (v.cols != 4 || v.vector > 2)) return false;
      if (v.rows == 4) return g.sh == 1 && v.vector * v.cols == 8;
      return v.rows == 1 && (!call.sum || g.kh == 3 || (v.vector <= 2 && v.cols == 2));
    case DepthwiseVariant::Kind::generic:
      return true;
  }
  return false;
}

void depthwise(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const void* weights,
               const float* bias, void* out, std::int64_t out_stride) {
  if (call.variant.kind == DepthwiseVariant::Kind::tiled) {
    depthwise_tiled(stream, call, sources, static_cast<const float*>(weights), bias, static_cast<float*>(out),
                    out_stride);
  } else {
    (call.half ? dispatch<__half> : dispatch<float>)(stream, call, sources, weights, bias, out, out_stride);
  }
}

}  // namespace opsched::native
