// Layers on the CPU: simple, but fast enough to check whole networks.
#pragma once

#include <span>

#include "core/runtime/tensor.hpp"

namespace opsched {

/// A batch of images, NCHW, dense except for the image and channel strides, so it can be a view of channels and rows
/// of a larger tensor.
template <class T>
struct TensorView {
  T* data = nullptr;
  std::int64_t batch_stride = 0;
  int n = 0;
  Shape shape;
  std::int64_t channel_stride = std::int64_t{shape.h} * shape.w;
  T* image(int i) const { return data + i * batch_stride; }
  T* plane(int i, int c) const { return image(i) + c * channel_stride; }
  operator TensorView<const T>() const { return {data, batch_stride, n, shape, channel_stride}; }
};

/// `channels` channels, starting at `channel`, of a region of dense tensors of shape `whole` at `data`.
template <class T>
TensorView<T> part_of(T* data, const Shape& whole, int channel, int channels, const Region& region) {
  const std::int64_t plane = std::int64_t{whole.h} * whole.w;
  return {data + region.images.begin * whole.size() + channel * plane + std::int64_t{region.rows.begin} * whole.w,
          whole.size(),
          region.images.size(),
          {channels, region.rows.size(), whole.w},
          plane};
}

/// out = act(sum of inputs). NaN stays NaN, here and below.
void gather(std::span<const TensorView<const float>> inputs, Activation act, TensorView<float> out, int threads);

/// out = act(factor * in + bias), factor and bias of each channel; out may be in.
void scale(TensorView<const float> in, std::span<const float> factor, std::span<const float> bias, Activation act,
           TensorView<float> out, int threads);

/// Convolution of any group count, with bias and activation.
void convolve(TensorView<const float> in, const Conv2d& conv, const ConvWeights& weights, TensorView<float> out,
              int threads);

/// out = act(product of inputs), with inputs of one channel, row or column broadcast.
void multiply(std::span<const TensorView<const float>> inputs, Activation act, TensorView<float> out, int threads);

void resize(TensorView<const float> in, const Resize2d& resize, TensorView<float> out, int threads);

void depth_to_space(TensorView<const float> in, const DepthToSpace& pixels, TensorView<float> out, int threads);

void pixel_row(TensorView<const float> in, const PixelRow& row, TensorView<float> out, int threads);

void softmax(TensorView<const float> in, const Softmax& softmax, TensorView<float> out, int threads);

void normalize(TensorView<const float> in, const Normalize& normalize, TensorView<float> out, int threads);

/// Any layer except a convolution.
void apply(TensorView<const float> in, const Layer& layer, TensorView<float> out, int threads);

void pool(TensorView<const float> in, const Pool2d& pool, TensorView<float> out, int threads);

}  // namespace opsched
