#include <algorithm>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/kernels/device_math.cuh"
#include "core/runtime/cuda/kernels/kernel_check.hpp"

namespace opsched::kernel_check {
namespace {

constexpr int kThreads = 256;

__device__ std::uint32_t scramble(std::uint32_t x) {  // Wellons, "lowbias32"
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

template <class T>
__global__ void fill_kernel(T* data, std::int64_t count, std::uint32_t seed) {
  for (std::int64_t i = blockIdx.x * std::int64_t{kThreads} + threadIdx.x; i < count; i += gridDim.x * kThreads) {
    const float unit = scramble(static_cast<std::uint32_t>(i) + seed * 0x9e3779b9u) * 0x1p-32f;
    data[i] = native::from_float<T>((2.f * unit - 1.f) * 1.7320508f);
  }
}

struct Strides {
  std::int64_t n, c, h, w;
  __device__ std::int64_t at(std::int64_t in, int ic, int ih, int iw) const {
    return in * n + ic * c + ih * h + iw * w;
  }
};

/// How an output pixel finds its place in the input of a resize: by the definition, not by the kernel's tables.
struct ResizeCheck {
  bool active, linear;
  Coordinates coordinates;
  Rounding rounding;
  double scale[2];
};

/// A weightless layer that combines channels or moves pixels.
struct ChannelCheck {
  enum Kind { none, depth_to_space, pixel_row, softmax, normalize };
  Kind kind;
  int bh, bw, crop_y, crop_x;  // depth to space
  bool phase_first;
  int begin;        // pixel row
  int size, inner;  // softmax
  int groups;       // normalize
  bool per_pixel;
  double epsilon;
};

struct CheckArgs {
  native::Window window;  // c: input channels
  int k;                  // output channels
  int groups;             // 0: not a convolution
  bool pool, global_avg, max, count_padding;
  bool product;
  ResizeCheck resize;
  ChannelCheck channels;
  Activation pre, act, post;
  Weights weights;
  const void* residual;
  Strides in[native::kMaxSources], out, residual_strides;
  std::int64_t outputs;
  int samples;
};

/// Not inlined: speed does not matter here, and compiling many inlined functions is slow.
__device__ __noinline__ double activated(const Activation& act, double x) {
  switch (act.kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::tanh:
      return tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + exp(-x));
    case Activation::leaky_relu:
      return x < 0 ? act.a * x : x;
    case Activation::elu:
      return x < 0 ? act.a * expm1(x) : x;
    case Activation::clip:
      return fmin(fmax(x, static_cast<double>(act.a)), static_cast<double>(act.b));
    case Activation::hard_sigmoid:
      return fmin(fmax(act.a * x + act.b, 0.0), 1.0);
    case Activation::hard_swish:
      return x * fmin(fmax(x / 6 + 0.5, 0.0), 1.0);
    case Activation::silu:
      return x / (1 + exp(-x));
    case Activation::gelu:
      return x * normcdf(x);
    case Activation::softplus:
      return fmax(x, 0.0) + log1p(exp(-fabs(x)));
  }
  return NAN;
}

template <class T>
__device__ double input_at(const native::Sources& sources, const CheckArgs& a, std::int64_t n, int c, int h, int w) {
  double all = a.product ? 1 : 0;
  for (int s = 0; s < sources.count; ++s) {
    const double one = native::to_float(static_cast<const T*>(sources.list[s].data)[a.in[s].at(n, c, h, w)]);
    all = a.product ? all * one : all + one;
  }
  if (a.weights.input_factor) all = a.weights.input_factor[c] * all + a.weights.input_bias[c];
  return activated(a.pre, all);
}

/// Finds, along one axis, the two pixels that an output pixel lies between and the weight of the second.
__device__ void place_of(const ResizeCheck& r, int d, int o, int in, int out, int (&pixels)[2], double& share) {
  double at = 0;
  if (r.coordinates == Coordinates::half_pixel)
    at = (o + 0.5) / r.scale[d] - 0.5;
  else if (r.coordinates == Coordinates::asymmetric)
    at = o / r.scale[d];
  else if (out > 1)
    at = o * (in - 1.0) / (out - 1.0);
  const auto inside = [&](double pixel) { return static_cast<int>(fmin(fmax(pixel, 0.0), in - 1.0)); };
  if (r.linear) {
    pixels[0] = inside(floor(at)), pixels[1] = inside(floor(at) + 1);
    share = at - floor(at);
    return;
  }
  const double pixel = r.rounding == Rounding::floor     ? floor(at)
                       : r.rounding == Rounding::ceil    ? ceil(at)
                       : r.rounding == Rounding::half_up ? floor(at + 0.5)
                                                         : ceil(at - 0.5);
  pixels[0] = pixels[1] = inside(pixel);
  share = 0;
}

template <class T>
__device__ double over_channels(const native::Sources& sources, const CheckArgs& a, std::int64_t n, int k, int y,
                                int x) {
  const ChannelCheck& layer = a.channels;
  const native::Window& g = a.window;
  if (layer.kind == ChannelCheck::depth_to_space) {
    const int from_y = y + layer.crop_y, from_x = x + layer.crop_x;
    const int phase = from_y % layer.bh * layer.bw + from_x % layer.bw;
    const int channel = layer.phase_first ? phase * a.k + k : k * layer.bh * layer.bw + phase;
    return input_at<T>(sources, a, n, channel, from_y / layer.bh, from_x / layer.bw);
  }
  if (layer.kind == ChannelCheck::pixel_row) {
    const int pixel = x - layer.begin;
    return pixel < 0 || pixel >= g.h * g.w ? 0 : input_at<T>(sources, a, n, k, pixel / g.w, pixel % g.w);
  }
  const double own = input_at<T>(sources, a, n, k, y, x);
  if (layer.kind == ChannelCheck::softmax) {
    const int all = layer.size * layer.inner, first = k / all * all + k % layer.inner;
    double sum = 0;
    for (int i = 0; i < layer.size; ++i) sum += exp(input_at<T>(sources, a, n, first + i * layer.inner, y, x) - own);
    return 1 / sum;
  }
  const int channels = g.c / layer.groups, first = k / channels * channels;
  const int top = layer.per_pixel ? y : 0, bottom = layer.per_pixel ? y + 1 : g.h;
  const int left = layer.per_pixel ? x : 0, right = layer.per_pixel ? x + 1 : g.w;
  double sum = 0, squares = 0;
  for (int c = first; c < first + channels; ++c)
    for (int h = top; h < bottom; ++h)
      for (int w = left; w < right; ++w) {
        const double value = input_at<T>(sources, a, n, c, h, w);
        sum += value;
        squares += value * value;
      }
  const double count = double{1} * channels * (bottom - top) * (right - left), mean = sum / count;
  return (own - mean) / sqrt(squares / count - mean * mean + layer.epsilon);
}

template <class T>
__device__ double resized(const native::Sources& sources, const CheckArgs& a, std::int64_t n, int k, int y, int x) {
  const native::Window& g = a.window;
  int rows[2], columns[2];
  double below, right;
  place_of(a.resize, 0, y, g.h, g.oh, rows, below);
  place_of(a.resize, 1, x, g.w, g.ow, columns, right);
  double result = 0;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j)
      result += (i ? below : 1 - below) * (j ? right : 1 - right) * input_at<T>(sources, a, n, k, rows[i], columns[j]);
  return result;
}

/// The expected input of the layer's activation.
template <class T>
__device__ double expected_before(const native::Sources& sources, const CheckArgs& a, std::int64_t n, int k, int y,
                                  int x) {
  const native::Window& g = a.window;
  if (a.global_avg) {
    double sum = 0;
    for (int h = 0; h < g.h; ++h) {
      for (int w = 0; w < g.w; ++w) sum += input_at<T>(sources, a, n, k, h, w);
    }
    return sum / (double{1} * g.h * g.w);
  }
  if (a.channels.kind != ChannelCheck::none) return over_channels<T>(sources, a, n, k, y, x);
  if (a.resize.active) return resized<T>(sources, a, n, k, y, x);
  if (!a.pool && a.groups == 0) return input_at<T>(sources, a, n, k, y, x);
  double result = a.groups > 0 ? a.weights.bias[k] : a.max ? -INFINITY : 0.0;
  int inside = 0;
  const int group_c = a.groups > 0 ? g.c / a.groups : 1, first = a.groups > 0 ? k / (a.k / a.groups) * group_c : k;
  for (int r = 0; r < g.kh; ++r) {
    for (int s = 0; s < g.kw; ++s) {
      const int h = y * g.sh - g.ph + r * g.dh, w = x * g.sw - g.pw + s * g.dw;
      if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
      ++inside;
      for (int c = 0; c < group_c; ++c) {
        const double in = input_at<T>(sources, a, n, first + c, h, w);
        if (a.groups > 0) {
          result += in * a.weights.weight[((std::int64_t{k} * group_c + c) * g.kh + r) * g.kw + s];
        } else {
          result = a.max ? (in > result ? in : result) : result + in;
        }
      }
    }
  }
  if (a.pool && !a.max) result /= a.count_padding ? g.kh * g.kw : inside;
  if (a.pool && a.weights.bias) result += a.weights.bias[k];
  return result;
}

__device__ void add_up(double value, double* to) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  if (threadIdx.x % 32 == 0) atomicAdd(to, value);
}

template <class T>
__global__ void compare_kernel(const __grid_constant__ native::Sources sources, const __grid_constant__ CheckArgs a,
                               const T* out, Verdict* verdict) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  double difference = 0, norm = 0;
  if (i < a.samples) {
    // Samples are spread evenly: one random position per stretch.
    const std::int64_t from = a.outputs * i / a.samples, to = a.outputs * (i + 1) / a.samples;
    std::int64_t at = from + scramble(i) % (to - from);
    const int x = at % a.window.ow;
    at /= a.window.ow;
    const int y = at % a.window.oh;
    at /= a.window.oh;
    const int k = at % a.k;
    const std::int64_t n = at / a.k;
    double before = expected_before<T>(sources, a, n, k, y, x);
    if (a.residual)
      before = activated(a.act, before) +
               native::to_float(static_cast<const T*>(a.residual)[a.residual_strides.at(n, k, y, x)]);
    const Activation& last = a.residual ? a.post : a.act;
    const double want = activated(last, before);
    const double got = native::to_float(out[a.out.at(n, k, y, x)]);
    difference = (got - want) * (got - want);
    // A ReLU may leave almost nothing, and rounding errors would then look large; so measure them against its input.
    norm = last.kind == Activation::relu ? before * before : want * want;
  }
  add_up(difference, &verdict->difference);
  add_up(norm, &verdict->norm);
}

template <class T>
__global__ void count_nans_kernel(const T* data, std::int64_t count, Verdict* verdict) {
  unsigned found = 0;
  for (std::int64_t i = blockIdx.x * std::int64_t{kThreads} + threadIdx.x; i < count; i += gridDim.x * kThreads) {
    const float x = native::to_float(data[i]);
    found += x != x;
  }
  found = __reduce_add_sync(0xffffffffu, found);
  if (threadIdx.x % 32 == 0 && found > 0) atomicAdd(&verdict->nans, static_cast<unsigned long long>(found));
}

Strides strides(const TensorLayout& t) { return {t.n, t.c, t.h, t.w}; }

}  // namespace

void fill_random(cudaStream_t stream, void* data, std::int64_t count, bool half, std::uint32_t seed) {
  const int blocks = static_cast<int>(std::min<std::int64_t>((count + kThreads - 1) / kThreads, 4096));
  if (half) {
    fill_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<__half*>(data), count, seed);
  } else {
    fill_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<float*>(data), count, seed);
  }
  OPSCHED_CUDA(cudaGetLastError());
}

void check(cudaStream_t stream, const Problem& problem, const native::Sources& inputs, const void* residual,
           const Weights& weights, const void* out, const void* range, std::int64_t range_count, int samples,
           Verdict* verdict) {
  CheckArgs a{};
  a.window.n = problem.batch;
  a.window.c = problem.input.c, a.window.h = problem.input.h, a.window.w = problem.input.w;
  a.window.oh = problem.output.h, a.window.ow = problem.output.w;
  a.product = problem.kind == Step::Kind::multiply;
  const auto set_window = [&](const auto& layer) {
    a.window.kh = layer.kernel[0], a.window.kw = layer.kernel[1];
    a.window.sh = layer.stride[0], a.window.sw = layer.stride[1];
    a.window.ph = layer.padding[0], a.window.pw = layer.padding[1];
    a.window.dh = layer.dilation[0], a.window.dw = layer.dilation[1];
  };
  a.k = problem.output.c;
  a.pre = problem.pre;
  a.weights = weights;
  if (problem.residual) a.post = problem.post, a.residual = residual, a.residual_strides = strides(*problem.residual);
  if (const auto* conv = std::get_if<Conv2d>(&problem.layer)) {
    set_window(*conv);
    a.groups = conv->groups;
    a.act = conv->act;
  } else if (const auto* pool = std::get_if<Pool2d>(&problem.layer)) {
    set_window(*pool);
    a.pool = true;
    a.global_avg = pool->type == PoolType::global_avg;
    a.max = pool->type == PoolType::max;
    a.count_padding = pool->count_padding;
    if (problem.bias) a.act = problem.post;
  } else if (const auto* resize = std::get_if<Resize2d>(&problem.layer)) {
    a.resize = {true, resize->interpolation == Interpolation::linear, resize->coordinates, resize->rounding, {}};
    const int in[] = {problem.input.h, problem.input.w}, out[] = {problem.output.h, problem.output.w};
    for (int d : {0, 1})
      a.resize.scale[d] = resize->scale[d] > 0 ? resize->scale[d] : static_cast<double>(out[d]) / in[d];
  }
  if (const auto* pixels = std::get_if<DepthToSpace>(&problem.layer))
    a.channels = {.kind = ChannelCheck::depth_to_space,
                  .bh = pixels->block[0],
                  .bw = pixels->block[1],
                  .crop_y = pixels->crop[0],
                  .crop_x = pixels->crop[1],
                  .phase_first = pixels->phase_first};
  if (const auto* row = std::get_if<PixelRow>(&problem.layer))
    a.channels = {.kind = ChannelCheck::pixel_row, .begin = row->begin};
  if (const auto* softmax = std::get_if<Softmax>(&problem.layer))
    a.channels = {.kind = ChannelCheck::softmax, .size = softmax->size, .inner = softmax->inner};
  if (const auto* normalize = std::get_if<Normalize>(&problem.layer))
    a.channels = {.kind = ChannelCheck::normalize,
                  .groups = normalize->groups,
                  .per_pixel = normalize->per_pixel,
                  .epsilon = normalize->epsilon};
  for (int s = 0; s < inputs.count; ++s) a.in[s] = strides(problem.inputs[s]);
  a.out = strides(problem.result);
  a.outputs = problem.batch * problem.output.size();
  a.samples = static_cast<int>(std::min<std::int64_t>(samples, a.outputs));
  const int blocks = (a.samples + kThreads - 1) / kThreads;
  const int range_blocks = static_cast<int>(std::min<std::int64_t>((range_count + kThreads - 1) / kThreads, 1024));
  if (problem.precision == Precision::fp16) {
    compare_kernel<<<blocks, kThreads, 0, stream>>>(inputs, a, static_cast<const __half*>(out), verdict);
    count_nans_kernel<<<range_blocks, kThreads, 0, stream>>>(static_cast<const __half*>(range), range_count, verdict);
  } else {
    compare_kernel<<<blocks, kThreads, 0, stream>>>(inputs, a, static_cast<const float*>(out), verdict);
    count_nans_kernel<<<range_blocks, kThreads, 0, stream>>>(static_cast<const float*>(range), range_count, verdict);
  }
  OPSCHED_CUDA(cudaGetLastError());
}

}  // namespace opsched::kernel_check
