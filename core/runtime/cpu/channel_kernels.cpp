// Weightless layers that combine channels or move pixels.
#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "core/runtime/cpu/kernels.hpp"

namespace opsched {
namespace {

/// Mean and 1 / standard deviation of the numbers that each(f) passes to f.
template <class Each>
std::pair<double, double> moments_of(double count, float epsilon, const Each& each) {
  double sum = 0, squares = 0;
  each([&](float x) { sum += x; });
  const double mean = sum / count;
  each([&](float x) { squares += (x - mean) * (x - mean); });
  return {mean, 1 / std::sqrt(squares / count + epsilon)};
}

}  // namespace

void depth_to_space(TensorView<const float> in, const DepthToSpace& pixels, TensorView<float> out, int threads) {
  const auto [bh, bw] = pixels.block;
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    float* to = out.plane(image, c);
    for (int y = 0; y < out.shape.h; ++y)
      for (int x = 0; x < out.shape.w; ++x) {
        const int from_y = y + pixels.crop[0], from_x = x + pixels.crop[1];
        const int phase = from_y % bh * bw + from_x % bw;
        const int channel = pixels.phase_first ? phase * out.shape.c + c : c * bh * bw + phase;
        *to++ = in.plane(image, channel)[std::int64_t{from_y / bh} * in.shape.w + from_x / bw];
      }
  });
}

void pixel_row(TensorView<const float> in, const PixelRow& row, TensorView<float> out, int threads) {
  const std::int64_t pixels = std::int64_t{in.shape.h} * in.shape.w;
  parallel_for(out.n * out.shape.c, threads, [&](int job) {
    const int image = job / out.shape.c, c = job % out.shape.c;
    float* const to = out.plane(image, c);
    std::fill(to, to + row.width, 0.0f);
    std::copy_n(in.plane(image, c), pixels, to + row.begin);
  });
}

void softmax(TensorView<const float> in, const Softmax& softmax, TensorView<float> out, int threads) {
  const std::int64_t plane = std::int64_t{in.shape.h} * in.shape.w;
  const std::int64_t in_step = softmax.inner * in.channel_stride, out_step = softmax.inner * out.channel_stride;
  const int outer = in.shape.c / (softmax.size * softmax.inner);
  parallel_for(in.n * outer * softmax.inner, threads, [&](int job) {
    const int image = job / softmax.inner / outer;
    const int first = job / softmax.inner % outer * softmax.size * softmax.inner + job % softmax.inner;
    const float* from = in.plane(image, first);
    float* to = out.plane(image, first);
    for (std::int64_t at = 0; at < plane; ++at, ++from, ++to) {
      float largest = *from;
      for (int i = 1; i < softmax.size; ++i) largest = std::max(largest, from[i * in_step]);
      double sum = 0;
      for (int i = 0; i < softmax.size; ++i) sum += to[i * out_step] = std::exp(from[i * in_step] - largest);
      for (int i = 0; i < softmax.size; ++i) to[i * out_step] = static_cast<float>(to[i * out_step] / sum);
    }
  });
}

void normalize(TensorView<const float> in, const Normalize& normalize, TensorView<float> out, int threads) {
  const std::int64_t plane = std::int64_t{in.shape.h} * in.shape.w;
  const int channels = in.shape.c / normalize.groups;
  parallel_for(in.n * normalize.groups, threads, [&](int job) {
    const int image = job / normalize.groups, first = job % normalize.groups * channels;
    // Each pixel is normalised on its own, or the whole plane together.
    const std::int64_t together = normalize.per_pixel ? 1 : plane;
    for (std::int64_t at = 0; at < plane; at += together) {
      const auto [mean, factor] =
          moments_of(static_cast<double>(channels * together), normalize.epsilon, [&](const auto& take) {
            for (int c = 0; c < channels; ++c)
              for (std::int64_t i = at; i < at + together; ++i) take(in.plane(image, first + c)[i]);
          });
      for (int c = 0; c < channels; ++c)
        for (std::int64_t i = at; i < at + together; ++i)
          out.plane(image, first + c)[i] = static_cast<float>((in.plane(image, first + c)[i] - mean) * factor);
    }
  });
}

void apply(TensorView<const float> in, const Layer& layer, TensorView<float> out, int threads) {
  if (const auto* window = std::get_if<Pool2d>(&layer)) return pool(in, *window, out, threads);
  if (const auto* size = std::get_if<Resize2d>(&layer)) return resize(in, *size, out, threads);
  if (const auto* pixels = std::get_if<DepthToSpace>(&layer)) return depth_to_space(in, *pixels, out, threads);
  if (const auto* row = std::get_if<PixelRow>(&layer)) return pixel_row(in, *row, out, threads);
  if (const auto* over = std::get_if<Softmax>(&layer)) return softmax(in, *over, out, threads);
  if (const auto* by = std::get_if<Normalize>(&layer)) return normalize(in, *by, out, threads);
  gather({&in, 1}, std::get<Activate>(layer).act, out, threads);
}

}  // namespace opsched
