// Values of a model during import: which channels of which units they are, and their ONNX shape. Only for the
// importer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/operator.hpp"

namespace opsched {

struct OnnxMeaning;

/// A value of the model: channels of units in sequence, all with the same height and width. `dims` is the ONNX shape
/// of the same numbers in the same order: [batch, c, h, w], flattened, or reshaped otherwise. With `channels_last` the
/// order is [batch, pixels ..., c], or all of that flattened.
struct OnnxData {
  std::vector<Value> pieces;  ///< none: a step of an operation that is only computed as a whole (`meaning`)
  Shape shape;                ///< of all pieces
  std::vector<std::int64_t> dims;
  bool channels_last = false;
  std::shared_ptr<const OnnxMeaning> meaning{};

  int pixels() const { return shape.h * shape.w; }
};

/// The role of a value in the arithmetic that exporters write for a normalisation or a GELU.
struct OnnxMeaning {
  enum Kind {
    mean,        ///< of `of`, as `how` says
    centred,     ///< `of` - mean
    squares,     ///< of that
    variance,    ///< mean of those, plus `number`
    deviation,   ///< its square root
    inverse,     ///< 1 / deviation
    scaled,      ///< `of` * `number`
    erf,         ///< erf(`of` / sqrt 2)
    one_more,    ///< (1 + that) * `number`
    gelu,        ///< gelu(`of`) * `number`
    low_padded,  ///< `of` with -inf around it
  };
  Kind kind;
  OnnxData of;
  double number = 0;
  Normalize how{};
  std::array<int, 2> before{0, 0}, more{0, 0};  ///< of low_padded, as in Pool2d
};

/// "[1, 3, 8, 8]"
std::string to_string(const std::vector<std::int64_t>& dims);

/// An axis that is a part of the channels, viewed as [outer][size][inner].
struct OnnxAxis {
  std::int64_t outer = 1, size = 1, inner = 1;
};
/// Empty if the axis is the batch, pixels, or a mixture.
std::optional<OnnxAxis> channel_axis(const OnnxData& data, std::size_t axis, int batch);

/// Appends channels [begin, end) of `from`.
void append_channels(std::vector<Value>& pieces, const OnnxData& from, std::int64_t begin, std::int64_t end);
/// Parts [begin, end) of an axis.
OnnxData cut_axis(const OnnxData& from, std::size_t axis, const OnnxAxis& what, std::int64_t begin, std::int64_t end);

/// Do both represent the same numbers in the same view?
bool same_value(const OnnxData& a, const OnnxData& b);

/// The same value viewed with channels directly after the batch, or last. Throws Error if that is impossible.
OnnxData channels_first(const OnnxData& data);
OnnxData channels_last(const OnnxData& data);

/// The sum of lists of pieces of one total width, cut where any of them ends.
std::vector<Term> sum_terms(const std::vector<OnnxData>& summands);

}  // namespace opsched
