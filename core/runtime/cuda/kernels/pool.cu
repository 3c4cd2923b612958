#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"
#include "core/runtime/cuda/kernels/native_kernels.hpp"

namespace opsched::native {
namespace {

constexpr int kThreads = 128;

constexpr int kWindow = 3;        // window size of the kernel for common windows
constexpr int kStrip = 2;         // output rows per thread in that kernel
constexpr int kEnough = 1 << 18;  // enough threads to keep a large GPU busy

struct PoolArgs {
  Window window;
  FastDiv inner, ow, strips, channels;  // inner: channel vectors in NHWC
  std::uint32_t total;
  bool count_padding;
  Activation pre, post;
  const float* bias;
};

/// Where a thread works: V channels from c on, in a strip of output rows starting at y.
struct Place {
  std::uint32_t c, x, y;
  std::int64_t n;
};

template <int V, bool kChannelsLast, int Rows>
__device__ __forceinline__ Place place_of(const PoolArgs& args, std::uint32_t i) {
  Place at;
  if constexpr (kChannelsLast) at.c = args.inner.split(i) * V;
  at.x = args.ow.split(i);
  at.y = args.strips.split(i) * Rows;
  if constexpr (!kChannelsLast) at.c = args.channels.split(i);
  at.n = i;
  return at;
}

template <bool kChannelsLast>
__device__ __forceinline__ std::int64_t input_index(const Window& g, const Place& at, std::int64_t stride, int y,
                                                    int x) {
  return kChannelsLast ? ((at.n * g.h + y) * g.w + x) * stride + at.c
                       : at.n * stride + at.c * g.in_plane + std::int64_t{y} * g.w + x;
}

/// Adds one input of the window to the result, or takes the maximum. (A maximum is activated at the end.)
template <int V, bool kMax, Known kPre>
__device__ __forceinline__ void take(const float (&in)[V], float (&result)[V]) {
#pragma unroll
  for (int v = 0; v < V; ++v) {
    if constexpr (kMax)
      result[v] = larger(in[v], result[v]);
    else
      result[v] += activate<kPre>(in[v]);
  }
}

/// Positions [begin, end) of a window's taps that lie on the input, along one axis.
struct Reach {
  int begin, end;
  __device__ __forceinline__ Reach(int first, int taps, int dilation, int size)
      : begin(first >= 0 ? first : first + (-first + dilation - 1) / dilation * dilation),
        end(min(first + (taps - 1) * dilation + 1, size)) {}
  __device__ __forceinline__ int count(int dilation) const {
    return end > begin ? (end - begin + dilation - 1) / dilation : 0;
  }
};

/// `dh`, `dw`: the window's dilation.
template <class T, int V, bool kChannelsLast, bool kMax>
__device__ __forceinline__ void finish(const PoolArgs& args, const Place& at, int y, int dh, int dw, float (&result)[V],
                                       T* out, std::int64_t out_stride) {
  const Window& g = args.window;
  if constexpr (kMax) {
    if (args.pre == Activation::relu) for_all(result, [](float v) { return larger(v, 0.f); });  // keeps the order
  } else {
    const int top = y * g.sh - g.ph, left = static_cast<int>(at.x) * g.sw - g.pw;
    const int real = Reach(top, g.kh, dh, g.h).count(dh) * Reach(left, g.kw, dw, g.w).count(dw);
    const float part = 1.f / static_cast<float>(args.count_padding ? g.kh * g.kw : real);
#pragma unroll
    for (int v = 0; v < V; ++v) result[v] *= part;
    if (args.bias) {
#pragma unroll
      for (int v = 0; v < V; ++v) result[v] += args.bias[at.c + v];
      if (args.post == Activation::relu) for_all(result, [](float x) { return larger(x, 0.f); });
    }
  }
  const std::int64_t to = kChannelsLast ? ((at.n * g.oh + y) * g.ow + at.x) * out_stride + at.c
                                        : at.n * out_stride + at.c * g.out_plane + std::int64_t{y} * g.ow + at.x;
  store<T, V>(out + to, result);
}

/// Any window, and sums of any number of inputs. A thread computes V channels of one output pixel.
template <class T, int V, bool kChannelsLast, bool kMax, Known kPre>
__global__ void pool_kernel(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride,
                            const __grid_constant__ PoolArgs args) {
  await_predecessor();
  const Window& g = args.window;
  const std::uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  if (thread >= args.total) return;
  const Place at = place_of<V, kChannelsLast, 1>(args, thread);
  const int top = static_cast<int>(at.y) * g.sh - g.ph, left = static_cast<int>(at.x) * g.sw - g.pw;
  float result[V];
#pragma unroll
  for (int v = 0; v < V; ++v) result[v] = kMax ? -INFINITY : 0.f;
  const Reach rows(top, g.kh, g.dh, g.h), columns(left, g.kw, g.dw, g.w);
  for (int y = rows.begin; y < rows.end; y += g.dh) {
    for (int x = columns.begin; x < columns.end; x += g.dw) {
      float sum[V] = {};
      for (int s = 0; s < sources.count; ++s) {
        const auto& source = sources.list[s];
        const auto in =
            load<T, V>(static_cast<const T*>(source.data) + input_index<kChannelsLast>(g, at, source.stride, y, x));
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += to_float(in.v[v]);
      }
      take<V, kMax, kPre>(sum, result);
    }
  }
  finish<T, V, kChannelsLast, kMax>(args, at, at.y, g.dh, g.dw, result, out, out_stride);
}

/// One input and a 3x3 window. A thread computes `Rows` output rows, `Stride` input rows apart, and reads each input
/// row once; all its loads are in flight together.
template <class T, int V, bool kChannelsLast, bool kMax, Known kPre, int Rows, int Stride>
__global__ void pool_strip(const __grid_constant__ Sources sources, T* out, std::int64_t out_stride,
                           const __grid_constant__ PoolArgs args) {
  await_predecessor();
  const Window& g = args.window;
  const std::uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  if (thread >= args.total) return;
  const Place at = place_of<V, kChannelsLast, Rows>(args, thread);
  const auto& source = sources.list[0];
  const int top = static_cast<int>(at.y) * g.sh - g.ph, left = static_cast<int>(at.x) * g.sw - g.pw;
  const T* corner = static_cast<const T*>(source.data) + input_index<kChannelsLast>(g, at, source.stride, top, left);
  const std::int64_t column = kChannelsLast ? source.stride : 1, row = column * g.w;
  constexpr int kTaken = (Rows - 1) * Stride + kWindow;  // input rows
  const auto inside = [&](int r, int s) {
    return static_cast<unsigned>(top + r) < static_cast<unsigned>(g.h) &&
           static_cast<unsigned>(left + s) < static_cast<unsigned>(g.w);
  };
  Vec<T, V> in[kTaken][kWindow];
#pragma unroll
  for (int r = 0; r < kTaken; ++r)
#pragma unroll
    for (int s = 0; s < kWindow; ++s)
      if (inside(r, s)) in[r][s] = load<T, V>(corner + r * row + s * column);
  float result[Rows][V];
#pragma unroll
  for (int o = 0; o < Rows; ++o)
#pragma unroll
    for (int v = 0; v < V; ++v) result[o][v] = kMax ? -INFINITY : 0.f;
#pragma unroll
  for (int r = 0; r < kTaken; ++r) {
    float of_row[V];
#pragma unroll
    for (int v = 0; v < V; ++v) of_row[v] = kMax ? -INFINITY : 0.f;
#pragma unroll
    for (int s = 0; s < kWindow; ++s) {
      if (!inside(r, s)) continue;
      float value[V];
#pragma unroll
      for (int v = 0; v < V; ++v) value[v] = to_float(in[r][s].v[v]);
      take<V, kMax, kPre>(value, of_row);
    }
#pragma unroll
    for (int o = 0; o < Rows; ++o)
      if (r >= o * Stride && r < o * Stride + kWindow) take<V, kMax, Known::none>(of_row, result[o]);
  }
#pragma unroll
  for (int o = 0; o < Rows; ++o)
    if (static_cast<int>(at.y) + o < g.oh)
      finish<T, V, kChannelsLast, kMax>(args, at, at.y + o, 1, 1, result[o], out, out_stride);
}

template <class T, int V, bool kChannelsLast, bool kMax, Known kPre>
void launch_as(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const std::int64_t strips_of = std::int64_t{g.n} * (g.c / V) * g.ow;
  const bool common = g.kh == kWindow && g.kw == kWindow && g.dh == 1 && g.dw == 1 && sources.count == 1;
  const bool strips = common && (g.sh == 1 || g.sh == 2) && strips_of * (g.oh / kStrip) >= kEnough;
  const int rows = strips ? (g.oh + kStrip - 1) / kStrip : g.oh;
  PoolArgs args;
  args.window = g;
  args.inner = FastDiv(g.c / V);
  args.ow = FastDiv(g.ow);
  args.strips = FastDiv(rows);
  args.channels = FastDiv(g.c);
  args.count_padding = call.count_padding;
  args.pre = call.pre, args.post = call.post;
  args.bias = call.bias;
  const int blocks = blocks_for(strips_of * rows, kThreads);
  args.total = static_cast<std::uint32_t>(strips_of * rows);
  const auto kernel = !common     ? pool_kernel<T, V, kChannelsLast, kMax, kPre>
                      : !strips   ? pool_strip<T, V, kChannelsLast, kMax, kPre, 1, 1>
                      : g.sh == 1 ? pool_strip<T, V, kChannelsLast, kMax, kPre, kStrip, 1>
                                  : pool_strip<T, V, kChannelsLast, kMax, kPre, kStrip, 2>;
  launch_overlapping(kernel, {dim3(blocks), dim3(kThreads)}, stream, sources, static_cast<T*>(out), out_stride, args);
}

template <class T, int V, bool kChannelsLast>
void launch(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  if (call.type == PoolType::max)  // the window kernel applies the activation in front at the end
    return launch_as<T, V, kChannelsLast, true, Known::none>(stream, call, sources, out, out_stride);
  with_known_pre(call.pre, [&](auto pre) {
    launch_as<T, V, kChannelsLast, false, pre.value>(stream, call, sources, out, out_stride);
  });
}

}  // namespace

void pool(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride) {
  if (call.type == PoolType::global_avg) {
    global_average(stream, call, sources, out, out_stride);
  } else if (call.layout == TensorFormat::nchw) {
    (call.half ? launch<__half, 1, false> : launch<float, 1, false>)(stream, call, sources, out, out_stride);
  } else if (call.half) {
    (call.vector == 8   ? launch<__half, 8, true>
     : call.vector == 4 ? launch<__half, 4, true>
     : call.vector == 2 ? launch<__half, 2, true>
                        : launch<__half, 1, true>)(stream, call, sources, out, out_stride);
  } else {
    (call.vector == 4   ? launch<float, 4, true>
     : call.vector == 2 ? launch<float, 2, true>
                        : launch<float, 1, true>)(stream, call, sources, out, out_stride);
  }
}

}  // namespace opsched::native
