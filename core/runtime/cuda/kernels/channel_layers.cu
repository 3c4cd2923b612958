// Weightless layers that combine channels or move pixels, for tensors with any strides.
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128, kNormThreads = 256;

/// Splits a linear index into image, channel, row and column, fastest axis first.
struct Order {
  FastDiv c, h, w;
  bool channels_first;
  __device__ void place(std::uint32_t i, int& n, int& channel, int& y, int& x) const {
    if (channels_first) channel = c.split(i);
    x = w.split(i);
    y = h.split(i);
    if (!channels_first) channel = c.split(i);
    n = i;
  }
};

__device__ __forceinline__ std::int64_t at(const Strides& s, int n, int c, int y, int x) {
  return n * s.n + c * s.c + y * s.h + x * s.w;
}

struct DepthToSpaceArgs {
  Order order;
  Strides in, out;
  int bh, bw, crop_y, crop_x, channels;
  bool phase_first;
  std::uint32_t total;
};

/// One thread per output.
template <class T>
__global__ void depth_to_space_kernel(const T* in, T* out, const __grid_constant__ DepthToSpaceArgs a) {
  await_predecessor();
  const std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.total) return;
  int n, c, y, x;
  a.order.place(i, n, c, y, x);
  const int from_y = y + a.crop_y, from_x = x + a.crop_x;
  const int phase = from_y % a.bh * a.bw + from_x % a.bw;
  const int channel = a.phase_first ? phase * a.channels + c : c * a.bh * a.bw + phase;
  out[at(a.out, n, c, y, x)] = in[at(a.in, n, channel, from_y / a.bh, from_x / a.bw)];
}

struct PixelRowArgs {
  Order order;
  Strides in, out;
  int begin, pixels;
  FastDiv width;  // of the input
  std::uint32_t total;
};

/// One thread per output.
template <class T>
__global__ void pixel_row_kernel(const T* in, T* out, const __grid_constant__ PixelRowArgs a) {
  await_predecessor();
  const std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.total) return;
  int n, c, y, x;
  a.order.place(i, n, c, y, x);
  T value = from_float<T>(0);
  if (x >= a.begin && x < a.begin + a.pixels) {
    std::uint32_t row = x - a.begin;
    const int column = a.width.split(row);
    value = in[at(a.in, n, c, row, column)];
  }
  out[at(a.out, n, c, 0, x)] = value;
}

struct SoftmaxArgs {
  Order order;  // over outer * inner instead of channels
  Strides in, out;
  int size, inner;
  std::uint32_t total;
};

/// One warp per softmax.
template <class T>
__global__ void softmax_kernel(const T* in, T* out, const __grid_constant__ SoftmaxArgs a) {
  await_predecessor();
  const std::uint32_t i = (blockIdx.x * kThreads + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (i >= a.total) return;
  int n, c, y, x;
  a.order.place(i, n, c, y, x);
  const int first = c / a.inner * a.size * a.inner + c % a.inner;
  const T* from = in + at(a.in, n, first, y, x);
  T* to = out + at(a.out, n, first, y, x);
  float largest = -INFINITY;
  for (int k = lane; k < a.size; k += 32) largest = larger(largest, to_float(from[std::int64_t{k} * a.inner * a.in.c]));
  for (int step = 16; step > 0; step /= 2) largest = larger(largest, __shfl_xor_sync(0xffffffffu, largest, step));
  float sum = 0;
  for (int k = lane; k < a.size; k += 32) sum += expf(to_float(from[std::int64_t{k} * a.inner * a.in.c]) - largest);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  for (int k = lane; k < a.size; k += 32)
    to[std::int64_t{k} * a.inner * a.out.c] =
        from_float<T>(expf(to_float(from[std::int64_t{k} * a.inner * a.in.c]) - largest) / sum);
}

struct NormalizeArgs {
  Strides in, out;
  int channels, h, w, groups;  // channels: per group
  bool per_pixel, channels_first;
  float epsilon;
};

/// The sum over a block, returned to all threads.
__device__ float block_sum(float value) {
  __shared__ float parts[kNormThreads / 32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < kNormThreads / 32; ++i) sum += parts[i];
  return sum;
}

/// One block for all numbers that share a mean and a variance. They are read three times, mostly from the cache.
template <class T>
__global__ void normalize_kernel(const T* in, T* out, const __grid_constant__ NormalizeArgs a) {
  await_predecessor();
  const int pixels = a.h * a.w;
  std::int64_t block = blockIdx.x;
  const int pixel = a.per_pixel ? static_cast<int>(block % pixels) : 0;
  if (a.per_pixel) block /= pixels;
  const int group = static_cast<int>(block % a.groups), n = static_cast<int>(block / a.groups);
  const int count = a.channels * (a.per_pixel ? 1 : pixels);
  const auto place = [&](int i, int& c, int& p) {
    const int inner = a.channels_first ? a.channels : pixels, first = i % inner, second = i / inner;
    c = group * a.channels + (a.per_pixel ? i : a.channels_first ? first : second);
    p = a.per_pixel ? pixel : a.channels_first ? second : first;
  };
  const auto value = [&](int i) {
    int c, p;
    place(i, c, p);
    return to_float(in[at(a.in, n, c, p / a.w, p % a.w)]);
  };
  float sum = 0, squares = 0;
  for (int i = threadIdx.x; i < count; i += kNormThreads) sum += value(i);
  const float mean = block_sum(sum) / count;
  for (int i = threadIdx.x; i < count; i += kNormThreads) squares += (value(i) - mean) * (value(i) - mean);
  const float factor = 1 / sqrtf(block_sum(squares) / count + a.epsilon);
  for (int i = threadIdx.x; i < count; i += kNormThreads) {
    int c, p;
    place(i, c, p);
    out[at(a.out, n, c, p / a.w, p % a.w)] = from_float<T>((value(i) - mean) * factor);
  }
}

Order order_of(const ChannelCall& call, int c, int h, int w) {
  return {FastDiv(c), FastDiv(h), FastDiv(w), call.in.c == 1};
}

template <class F>
void with_element(bool half, const F& f) {
  if (half) return f(__half{});
  f(float{});
}

}  // namespace

void depth_to_space(cudaStream_t stream, const ChannelCall& call, const DepthToSpace& how, const void* in, void* out) {
  const auto [bh, bw] = how.block;
  const int c = call.c / (bh * bw), oh = call.h * bh - how.crop[0] - how.crop_end[0],
            ow = call.w * bw - how.crop[1] - how.crop_end[1];
  const std::int64_t total = std::int64_t{call.n} * c * oh * ow;
  const DepthToSpaceArgs args{
      order_of(call, c, oh, ow),        call.in, call.out, bh, bw, how.crop[0], how.crop[1], c, how.phase_first,
      static_cast<std::uint32_t>(total)};
  with_element(call.half, [&](auto element) {
    using T = decltype(element);
    launch_overlapping(depth_to_space_kernel<T>, {dim3(blocks_for(total, kThreads)), dim3(kThreads)}, stream,
                       static_cast<const T*>(in), static_cast<T*>(out), args);
  });
}

void pixel_row(cudaStream_t stream, const ChannelCall& call, const PixelRow& how, const void* in, void* out) {
  const std::int64_t total = std::int64_t{call.n} * call.c * how.width;
  const PixelRowArgs args{
      order_of(call, call.c, 1, how.width), call.in, call.out, how.begin, call.h * call.w, FastDiv(call.w),
      static_cast<std::uint32_t>(total)};
  with_element(call.half, [&](auto element) {
    using T = decltype(element);
    launch_overlapping(pixel_row_kernel<T>, {dim3(blocks_for(total, kThreads)), dim3(kThreads)}, stream,
                       static_cast<const T*>(in), static_cast<T*>(out), args);
  });
}

void softmax(cudaStream_t stream, const ChannelCall& call, const Softmax& how, const void* in, void* out) {
  const int each = call.c / how.size;
  const std::int64_t total = std::int64_t{call.n} * each * call.h * call.w;
  const SoftmaxArgs args{order_of(call, each, call.h, call.w), call.in, call.out, how.size, how.inner,
                         static_cast<std::uint32_t>(total)};
  with_element(call.half, [&](auto element) {
    using T = decltype(element);
    launch_overlapping(softmax_kernel<T>, {dim3(blocks_for(total * 32, kThreads)), dim3(kThreads)}, stream,
                       static_cast<const T*>(in), static_cast<T*>(out), args);
  });
}

void normalize(cudaStream_t stream, const ChannelCall& call, const Normalize& how, const void* in, void* out) {
  const std::int64_t blocks =
      std::int64_t{call.n} * how.groups * (how.per_pixel ? std::int64_t{call.h} * call.w : std::int64_t{1});
  const NormalizeArgs args{call.in,    call.out,      call.c / how.groups, call.h,     call.w,
                           how.groups, how.per_pixel, call.in.c == 1,      how.epsilon};
  with_element(call.half, [&](auto element) {
    using T = decltype(element);
    launch_overlapping(normalize_kernel<T>, {dim3(static_cast<unsigned>(blocks)), dim3(kNormThreads)}, stream,
                       static_cast<const T*>(in), static_cast<T*>(out), args);
  });
}

}  // namespace opsched::native
