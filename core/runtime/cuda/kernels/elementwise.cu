#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128;
constexpr std::int64_t kLarge = 1 << 21;  // elements; many times what a large GPU processes at once

/// A tensor as rows that are each contiguous: images in NCHW, pixels in NHWC.
struct Rows {
  std::int64_t rows, length;
};

Rows rows_of(const GatherCall& call) {
  const std::int64_t plane = std::int64_t{call.h} * call.w;
  return call.layout == TensorFormat::nchw ? Rows{call.n, call.c * plane} : Rows{call.n * plane, call.c};
}

template <class T, int V, Known kAct>
__global__ void gather_kernel(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride,
                              FastDiv row_vectors, std::uint32_t total, Activation act) {
  await_predecessor();
  std::uint32_t row = blockIdx.x * kThreads + threadIdx.x;
  if (row >= total) return;
  const std::int64_t col = std::int64_t{row_vectors.split(row)} * V;
  float sum[V] = {};
#pragma unroll 4
  for (int s = 0; s < sources.count; ++s) {
    const auto& source = sources.list[s];
    const auto x = load<T, V>(static_cast<const T*>(source.data) + row * source.stride + col);
#pragma unroll
    for (int i = 0; i < V; ++i) sum[i] += to_float(x.v[i]);
  }
  activate_known<kAct>(act, sum);
  store<T, V>(out + row * out_stride + col, sum);
}

/// Rows are (image, channel) in NCHW, with one bias per row, and pixels in NHWC. A thread computes `Each` vectors,
/// spaced by the number of threads in a block.
template <class T, int V, bool kChannelsLast, int Each, Known kAct>
__global__ void bias_act_kernel(const T* in, std::int64_t in_stride, const float* bias, T* out, std::int64_t out_stride,
                                std::int64_t out_plane, FastDiv row_vectors, FastDiv channels, std::uint32_t total,
                                Activation act) {
  await_predecessor();
#pragma unroll
  for (int each = 0; each < Each; ++each) {
    std::uint32_t row = (blockIdx.x * Each + each) * kThreads + threadIdx.x;
    if (row >= total) return;
    std::uint32_t col = row_vectors.split(row) * V;
    std::int64_t in_at = col, out_at = col;
    std::uint32_t channel = col;
    if (kChannelsLast) {
      in_at += row * in_stride;
      out_at += row * out_stride;
    } else {
      const std::uint32_t length = row_vectors.divisor * V;
      channel = channels.split(row);
      in_at += row * in_stride + std::int64_t{channel} * length;
      out_at += row * out_stride + channel * out_plane;
    }
    const auto x = load<T, V>(in + in_at);
    float y[V];
#pragma unroll
    for (int i = 0; i < V; ++i) y[i] = to_float(x.v[i]) + bias[kChannelsLast ? channel + i : channel];
    activate_known<kAct>(act, y);
    store<T, V>(out + out_at, y);
  }
}

}  // namespace

void gather(cudaStream_t stream, const GatherCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  const auto [rows, length] = rows_of(call);
  const std::int64_t total = rows * length / call.vector;
  const int blocks = blocks_for(total, kThreads);
  with_vector(call.half, call.vector, [&](auto element, auto vector) {
    using T = decltype(element);
    with_known(call.act, [&](auto act) {
      launch_overlapping(gather_kernel<T, vector.value, act.value>, {dim3(blocks), dim3(kThreads)}, stream, sources,
                         static_cast<T*>(out), out_stride, FastDiv(static_cast<std::uint32_t>(length / call.vector)),
                         static_cast<std::uint32_t>(total), call.act);
    });
  });
}

void bias_act(cudaStream_t stream, const GatherCall& call, const void* in, std::int64_t in_stride, const float* bias,
              void* out, std::int64_t out_stride, std::int64_t out_plane) {
  const std::int64_t plane = std::int64_t{call.h} * call.w;
  const bool last = call.layout == TensorFormat::nhwc;
  const std::int64_t length = last ? call.c : plane;
  const std::int64_t total = call.n * call.c * plane / call.vector;
  with_vector(call.half, call.vector, [&](auto element, auto vector) {
    using T = decltype(element);
    // Vectors of one element in large tensors (planes of odd size): several per thread hide each other's latency.
    const bool several = !last && vector.value == 1 && total >= kLarge;
    constexpr int kEach = vector.value == 1 ? 4 : 1;
    const int blocks = blocks_for(total, kThreads * (several ? kEach : 1));
    with_known(call.act, [&](auto act) {
      const auto kernel = last      ? bias_act_kernel<T, vector.value, true, 1, act.value>
                          : several ? bias_act_kernel<T, vector.value, false, kEach, act.value>
                                    : bias_act_kernel<T, vector.value, false, 1, act.value>;
      launch_overlapping(kernel, {dim3(blocks), dim3(kThreads)}, stream, static_cast<const T*>(in), in_stride, bias,
                         static_cast<T*>(out), out_stride, out_plane,
                         FastDiv(static_cast<std::uint32_t>(length / call.vector)),
                         FastDiv(static_cast<std::uint32_t>(call.c)), static_cast<std::uint32_t>(total), call.act);
    });
  });
}

}  // namespace opsched::native
