#include "core/runtime/cpu/kernels.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/runtime/program/resize_taps.hpp"

namespace opsched {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using Row = Eigen::Map<Eigen::ArrayXf>;
using ConstRow = Eigen::Map<const Eigen::ArrayXf>;

void activate(float* data, std::int64_t size, const Activation& act) {
  if (act == Activation::none) return;
  for (std::int64_t i = 0; i < size; ++i) data[i] = activated(data[i], act);
}

/// Output positions [begin, end) whose tap `k` lies inside an input of this size.
struct Taps {
  int begin, end;
  template <class Window>
  Taps(const Window& w, int d, int k, int size, int out) {
    const int stride = w.stride[d], first = w.padding[d] - k * w.dilation[d];  // the first o with o * stride >= first
    begin = first > 0 ? std::min((first + stride - 1) / stride, out) : 0;
    const int last = size - 1 + first;  // the last one with o * stride <= last
    end = std::max(last < 0 ? 0 : std::min(last / stride + 1, out), begin);
  }
};

/// Calls tap(ky, kx, out_row, in_row, count) for every tap of a window and every output row that it reaches; in_row
/// advances by the horizontal stride.
template <class Window, class T, class Tap>
void for_taps(const Window& w, const Shape& in, const Shape& out, const float* from, T* to, const Tap& tap) {
  for (int ky = 0; ky < w.kernel[0]; ++ky)
    for (int kx = 0; kx < w.kernel[1]; ++kx) {
      const Taps ys(w, 0, ky, in.h, out.h), xs(w, 1, kx, in.w, out.w);
      for (int y = ys.begin; y < ys.end; ++y)
        tap(ky, kx, to + std::int64_t{y} * out.w + xs.begin,
            from + std::int64_t{y * w.stride[0] - w.padding[0] + ky * w.dilation[0]} * in.w + xs.begin * w.stride[1] -
                w.padding[1] + kx * w.dilation[1],
            xs.end - xs.begin);
    }
}

void depthwise(TensorView<const float> in, const Conv2d& conv, const ConvWeights& weights, TensorView<float> out,
               int threads) {
  const std::int64_t size = std::int64_t{out.shape.h} * out.shape.w;
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int c = job % out.shape.c;
    float* plane = out.plane(job / out.shape.c, c);
    const float* kernel = weights.weight.data() + std::int64_t{c} * conv.kernel[0] * conv.kernel[1];
    std::fill_n(plane, size, weights.bias[c]);
    for_taps(conv, in.shape, out.shape, in.plane(job / out.shape.c, c), plane,
             [&](int ky, int kx, float* to, const float* from, int count) {
               const float weight = kernel[ky * conv.kernel[1] + kx];
               for (int x = 0; x < count; ++x) to[x] += weight * from[std::int64_t{x} * conv.stride[1]];
             });
    activate(plane, size, conv.act);
  });
}

/// Pixels [begin, end) of the output as columns, with one row per input channel and tap; zero in the padding.
Matrix columns(TensorView<const float> source, int image, int first, int channels, const Conv2d& conv, const Shape& out,
               int begin, int end) {
  const Shape& in = source.shape;
  Matrix matrix(channels * conv.kernel[0] * conv.kernel[1], end - begin);
  float* to = matrix.data();
  for (int c = 0; c < channels; ++c)
    for (int ky = 0; ky < conv.kernel[0]; ++ky)
      for (int kx = 0; kx < conv.kernel[1]; ++kx) {
        const Taps xs(conv, 1, kx, in.w, out.w);
        for (int pixel = begin; pixel < end;) {
          const int oy = pixel / out.w, from = pixel % out.w, until = std::min(out.w, from + end - pixel);
          const int y = oy * conv.stride[0] - conv.padding[0] + ky * conv.dilation[0];
          const bool inside = y >= 0 && y < in.h;
          const int a = inside ? std::clamp(xs.begin, from, until) : until, b = std::clamp(xs.end, a, until);
          const float* row =
              source.plane(image, first + c) + std::int64_t{y} * in.w - conv.padding[1] + kx * conv.dilation[1];
          std::fill(to, to + (a - from), 0.0f);
          for (int x = a; x < b; ++x) to[x - from] = row[x * conv.stride[1]];
          std::fill(to + (b - from), to + (until - from), 0.0f);
          to += until - from;
          pixel += until - from;
        }
      }
  return matrix;
}

/// Weights times columns, for every image, group, tile of pixels and block of output channels.
void dense(TensorView<const float> in, const Conv2d& conv, const ConvWeights& weights, TensorView<float> out,
           int threads) {
  const int pixels = out.shape.h * out.shape.w;
  const int channels = in.shape.c / conv.groups, outs = conv.out_channels / conv.groups;
  const int depth = channels * conv.kernel[0] * conv.kernel[1];
  // Columns of about 512 KiB stay in the second-level cache.
  const int tile = std::min(pixels, std::clamp(131072 / depth, 64, 2048)), tiles = (pixels + tile - 1) / tile;
  const int blocks = out.n * conv.groups * tiles < 2 * threads ? std::min(2 * threads, outs) : 1;
  const bool direct = conv.kernel == std::array{1, 1} && conv.stride == std::array{1, 1} &&
                      conv.padding == std::array{0, 0} &&
                      conv.more_padding == std::array{0, 0};  // the image is its own matrix of columns
  parallel_for(out.n * conv.groups * tiles * blocks, threads, [&](int job) {
    const int block = job % blocks, t = job / blocks % tiles, g = job / blocks / tiles % conv.groups;
    const int image = job / blocks / tiles / conv.groups;
    const int begin = t * tile, end = std::min(pixels, begin + tile);
    const int first = outs * block / blocks, count = outs * (block + 1) / blocks - first;
    const int channel = g * outs + first;
    const Eigen::Map<const Matrix> kernel(weights.weight.data() + std::int64_t{channel} * depth, count, depth);
    const Eigen::Map<const Eigen::VectorXf> bias(weights.bias.data() + channel, count);
    Eigen::Map<Matrix, 0, Stride> result(out.plane(image, channel) + begin, count, end - begin,
                                         Stride(out.channel_stride));
    if (direct)
      result.noalias() = kernel * Eigen::Map<const Matrix, 0, Stride>(in.plane(image, g * channels) + begin, depth,
                                                                      end - begin, Stride(in.channel_stride));
    else
      result.noalias() = kernel * columns(in, image, g * channels, channels, conv, out.shape, begin, end);
    result.colwise() += bias;
    for (int m = 0; m < count; ++m) activate(&result(m, 0), end - begin, conv.act);
  });
}

}  // namespace

void gather(std::span<const TensorView<const float>> inputs, Activation act, TensorView<float> out, int threads) {
  const std::int64_t size = std::int64_t{out.shape.h} * out.shape.w;
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    Row to(out.plane(image, c), size);
    to = ConstRow(inputs[0].plane(image, c), size);
    for (const TensorView<const float>& input : inputs.subspan(1)) to += ConstRow(input.plane(image, c), size);
    activate(to.data(), size, act);
  });
}

void scale(TensorView<const float> in, std::span<const float> factor, std::span<const float> bias, Activation act,
           TensorView<float> out, int threads) {
  const std::int64_t size = std::int64_t{out.shape.h} * out.shape.w;
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    Row to(out.plane(image, c), size);
    to = ConstRow(in.plane(image, c), size) * factor[c] + bias[c];
    activate(to.data(), size, act);
  });
}

void multiply(std::span<const TensorView<const float>> inputs, Activation act, TensorView<float> out, int threads) {
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    float* const to = out.plane(image, c);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Shape& shape = inputs[i].shape;
      const float* const from = inputs[i].plane(image, shape.c == 1 ? 0 : c);
      for (int y = 0; y < out.shape.h; ++y)
        for (int x = 0; x < out.shape.w; ++x) {
          const float factor = from[std::int64_t{shape.h == 1 ? 0 : y} * shape.w + (shape.w == 1 ? 0 : x)];
          float& product = to[std::int64_t{y} * out.shape.w + x];
          product = i == 0 ? factor : product * factor;
        }
    }
    activate(to, std::int64_t{out.shape.h} * out.shape.w, act);
  });
}

void resize(TensorView<const float> in, const Resize2d& resize, TensorView<float> out, int threads) {
  const std::vector<ResizeTap> ys = resize_taps(resize, 0, in.shape.h, out.shape.h),
                               xs = resize_taps(resize, 1, in.shape.w, out.shape.w);
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    const float* const from = in.plane(image, c);
    float* to = out.plane(image, c);
    for (const ResizeTap& y : ys) {
      const float *const above = from + std::int64_t{y.first} * in.shape.w, *const below =
                                                                                from +
                                                                                std::int64_t{y.second} * in.shape.w;
      const auto mix = [](float a, float b, float share) { return share == 0 ? a : a + (b - a) * share; };
      for (const ResizeTap& x : xs)
        *to++ =
            mix(mix(above[x.first], above[x.second], x.share), mix(below[x.first], below[x.second], x.share), y.share);
    }
  });
}

void convolve(TensorView<const float> in, const Conv2d& conv, const ConvWeights& weights, TensorView<float> out,
              int threads) {
  if (is_depthwise(conv, in.shape))
    depthwise(in, conv, weights, out, threads);
  else
    dense(in, conv, weights, out, threads);
}

void pool(TensorView<const float> in, const Pool2d& pool, TensorView<float> out, int threads) {
  const std::int64_t size = std::int64_t{out.shape.h} * out.shape.w;
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    const float* from = in.plane(image, c);
    Row to(out.plane(image, c), size);
    if (pool.type == PoolType::global_avg) {
      to = ConstRow(from, std::int64_t{in.shape.h} * in.shape.w).mean();
      return;
    }
    const bool max = pool.type == PoolType::max;
    to = max ? -std::numeric_limits<float>::infinity() : 0.0f;
    Eigen::ArrayXf taps = Eigen::ArrayXf::Zero(pool.type == PoolType::avg && !pool.count_padding ? size : 0);
    for_taps(pool, in.shape, out.shape, from, to.data(), [&](int, int, float* o, const float* i, int count) {
      for (int x = 0; x < count; ++x) {
        const float v = i[std::int64_t{x} * pool.stride[1]];
        if (!max)
          o[x] += v;
        else if (v > o[x] || v != v)
          o[x] = v;
        if (taps.size() > 0) taps[o + x - to.data()] += 1;
      }
    });
    if (taps.size() > 0)
      to /= taps;
    else if (!max)
      to /= static_cast<float>(pool.kernel[0] * pool.kernel[1]);
  });
}

}  // namespace opsched
