// Values of a model while it is read: which channels of which units they are, and how ONNX sees them. For the ONNX
// importer only.
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

/// A value of the model: channels of units, one after another, all of one height and width. `dims` is how
/// ONNX sees the same numbers in the same order: [batch, c, h, w], flattened, or otherwise reshaped. With
/// `channels_last` the order is another one: [batch, pixels ..., c], or all of that flattened.
struct OnnxData {
  std::vector<Value> pieces;  ///< none: a step of something that is only computed as a whole (`meaning`)
  Shape shape;                ///< of all pieces
  std::vector<std::int64_t> dims;
  bool channels_last = false;
  std::shared_ptr<const OnnxMeaning> meaning{};

  int pixels() const { return shape.h * shape.w; }
};

/// What a value is in the arithmetic as which exporters write a normalisation or a GELU.
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

/// An axis that is a part of the channels, seen as [outer][size][inner].
struct OnnxAxis {
  std::int64_t outer = 1, size = 1, inner = 1;
};
/// Nothing if the axis is batch, pixels, or a mixture.
std::optional<OnnxAxis> channel_axis(const OnnxData& data, std::size_t axis, int batch);

/// Appends channels [begin, end) of `from`.
void append_channels(std::vector<Value>& pieces, const OnnxData& from, std::int64_t begin, std::int64_t end);
/// Parts [begin, end) of an axis.
OnnxData cut_axis(const OnnxData& from, std::size_t axis, const OnnxAxis& what, std::int64_t begin, std::int64_t end);

/// Do both stand for the same numbers, seen in the same way?
bool same_value(const OnnxData& a, const OnnxData& b);

/// The same value seen with channels right behind the batch, or last. Throw Error where it cannot be.
OnnxData channels_first(const OnnxData& data);
OnnxData channels_last(const OnnxData& data);

/// The sum of lists of pieces of one total width, cut where any of them ends.
std::vector<Term> sum_terms(const std::vector<OnnxData>& summands);

}  // namespace opsched
