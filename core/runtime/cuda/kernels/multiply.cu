// Products of tensors, some of which are repeated along an axis: mostly gates.
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128;

struct MultiplyArgs {
  FastDiv vectors, second, third;  // extents of the first axis (in vectors) and of the next two
  std::int64_t out_stride[4];
  std::uint32_t total;
  Activation act;
};

/// Reads V elements of a factor along the first axis, or repeats one of them V times.
template <class T, int V>
__device__ __forceinline__ void read_factor(const Factors::Factor& factor, const std::int64_t (&at)[4],
                                            float (&value)[V]) {
  const T* from = static_cast<const T*>(factor.data) + at[0] * factor.stride[0] + at[1] * factor.stride[1] +
                  at[2] * factor.stride[2] + at[3] * factor.stride[3];
  if (V == 1 || factor.stride[0] == 0) {
    const float one = to_float(*from);
#pragma unroll
    for (int v = 0; v < V; ++v) value[v] = one;
  } else {
    const auto several = load<T, V>(from);
#pragma unroll
    for (int v = 0; v < V; ++v) value[v] = to_float(several.v[v]);
  }
}

/// A thread computes V elements of the product.
template <class T, int V, Known kAct>
__global__ void multiply_kernel(const __grid_constant__ Factors factors, T* out,
                                const __grid_constant__ MultiplyArgs args) {
  await_predecessor();
  std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= args.total) return;
  std::int64_t at[4];
  at[0] = std::int64_t{args.vectors.split(i)} * V;
  at[1] = args.second.split(i);
  at[2] = args.third.split(i);
  at[3] = i;
  float product[V];
  read_factor<T, V>(factors.list[0], at, product);
  for (int f = 1; f < factors.count; ++f) {
    float value[V];
    read_factor<T, V>(factors.list[f], at, value);
#pragma unroll
    for (int v = 0; v < V; ++v) product[v] *= value[v];
  }
  activate_known<kAct>(args.act, product);
  store<T, V>(out + at[0] * args.out_stride[0] + at[1] * args.out_stride[1] + at[2] * args.out_stride[2] +
                  at[3] * args.out_stride[3],
              product);
}

}  // namespace

void multiply(cudaStream_t stream, const MultiplyCall& call, const Factors& factors, void* out) {
  const std::int64_t vectors = call.extent[0] / call.vector;
  const std::int64_t total = vectors * call.extent[1] * call.extent[2] * call.extent[3];
  const dim3 blocks(blocks_for(total, kThreads));
  MultiplyArgs args;
  args.vectors = FastDiv(static_cast<std::uint32_t>(vectors));
  args.second = FastDiv(static_cast<std::uint32_t>(call.extent[1]));
  args.third = FastDiv(static_cast<std::uint32_t>(call.extent[2]));
  for (int d = 0; d < 4; ++d) args.out_stride[d] = call.out_stride[d];
  args.total = static_cast<std::uint32_t>(total);
  args.act = call.act;
  with_vector(call.half, call.vector, [&](auto element, auto vector) {
    using T = decltype(element);
    with_known(call.act, [&](auto act) {
      launch_overlapping(multiply_kernel<T, vector.value, act.value>, {blocks, dim3(kThreads)}, stream, factors,
                         static_cast<T*>(out), args);
    });
  });
}

}  // namespace opsched::native
