// The numerics of layers on the CPU, simple and fast enough to check whole networks.
#pragma once

#include <span>

#include "core/runtime/tensor.hpp"

namespace opsched {

/// A batch of images, NCHW, dense but for the stride from image to image: a slice of channels of a
/// larger tensor is a view.
template <class T>
struct TensorView {
  T* data = nullptr;
  std::int64_t batch_stride = 0;
  int n = 0;
  Shape shape;
  T* image(int i) const { return data + i * batch_stride; }
  T* plane(int i, int c) const { return image(i) + std::int64_t{c} * shape.h * shape.w; }
  operator TensorView<const T>() const { return {data, batch_stride, n, shape}; }
};

/// out = act(sum of inputs). A NaN anywhere stays a NaN, here and below.
void gather(std::span<const TensorView<const float>> inputs, Activation act, TensorView<float> out, int threads);

/// Convolution of any group count, with bias and activation.
void convolve(TensorView<const float> in, const Conv2d& conv, const ConvWeights& weights, TensorView<float> out,
              int threads);

/// out = act(product of inputs); those of one channel, row or column are repeated.
void multiply(std::span<const TensorView<const float>> inputs, Activation act, TensorView<float> out, int threads);

void resize(TensorView<const float> in, const Resize2d& resize, TensorView<float> out, int threads);

void depth_to_space(TensorView<const float> in, const DepthToSpace& pixels, TensorView<float> out, int threads);

void softmax(TensorView<const float> in, const Softmax& softmax, TensorView<float> out, int threads);

void normalize(TensorView<const float> in, const Normalize& normalize, TensorView<float> out, int threads);

/// The layer, whatever it is but a convolution.
void apply(TensorView<const float> in, const Layer& layer, TensorView<float> out, int threads);

void pool(TensorView<const float> in, const Pool2d& pool, TensorView<float> out, int threads);

}  // namespace opsched
