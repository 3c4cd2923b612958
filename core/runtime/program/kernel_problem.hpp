// The problem of a kernel: a lowered step without addresses, including the memory layout of its tensors.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/precision.hpp"
#include "core/runtime/program/program.hpp"
#include "core/tensor_format.hpp"

namespace opsched {

/// Element strides of one tensor, and the power of two (2 to 16 bytes) that its address is a multiple of.
struct TensorLayout {
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  int alignment = 16;
  auto operator<=>(const TensorLayout&) const = default;
};

/// Layout of a dense tensor that is aligned to 16 bytes.
TensorLayout dense_layout(const Shape& shape, TensorFormat layout);
/// Layout of channels [channel, channel + channels) of a region (default: all rows of one image) of a buffer of shape
/// `whole`. The stride of a batch of 1 is meaningless and set to that of a dense tensor, so that equal problems
/// compare equal.
TensorLayout slice_layout(const Shape& whole, int channel, int channels, TensorFormat layout, int element_bytes,
                          Region region = {});
/// Offset of the slice in bytes from the start of the buffer.
std::int64_t slice_offset(const Shape& whole, int channel, TensorFormat layout, int element_bytes,
                          const Region& region = {});

/// output = post(layer(pre(affine(sum of inputs))) + residual or bias), or pre(product of inputs). Equal problems share
/// kernels and measurements.
struct Problem {
  Step::Kind kind = Step::Kind::gather;
  Precision precision = Precision::fp32;
  TensorFormat layout = TensorFormat::nchw;
  int batch = 1;
  Shape input, output;               ///< one image
  std::vector<TensorLayout> inputs;  ///< summed; or multiplied: what is repeated along an axis has a stride of 0 there
  TensorLayout result;
  std::optional<TensorLayout> residual{};  ///< of the output's shape
  bool bias = false;                       ///< of a pool: it adds ConvWeights::bias
  Activation post = Activation::none;      ///< only with a residual or with `bias`
  bool affine = false;  ///< each channel of the sum is scaled and shifted; by ConvWeights::input_factor, input_bias
  Activation pre = Activation::none;
  StepLayer layer;
  bool concurrent = false;  ///< other kernels run at the same time: how much of the GPU it takes counts, too
  bool operator==(const Problem&) const = default;

  /// The problem as text, stable across versions and machines; equal keys mean equal problems.
  std::string key() const;
};

/// Number of images that a kernel of this step computes at once: all that it writes, or one if the step reads or
/// writes only some rows of images, because kernels support that only for a single image.
int images_at_once(const Program& program, const Step& step);

/// The problem of a step (not a transfer), for the first images_at_once() images. Throws Error for a transfer.
Problem make_problem(const Program& program, const Step& step, Precision precision, TensorFormat layout);

}  // namespace opsched
