// Operators: the units of scheduling.
//
// An operator gathers its input (a concatenation of sums of channel slices of other operators'
// outputs) and passes it through a short chain of layers. A plain convolution has one layer; the
// relu + depthwise + pointwise unit of NasNet and RandWire has three.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/graph/activation.hpp"
#include "core/graph/pool_type.hpp"

namespace opsched {

/// Index of an operator in its graph, in topological order.
using OpId = int;

/// Channels, height and width of one image. The batch belongs to the graph.
struct Shape {
  int c = 0, h = 0, w = 0;
  std::int64_t size() const { return std::int64_t{c} * h * w; }
  auto operator<=>(const Shape&) const = default;
};
/// "192x35x35"
std::string to_string(const Shape& shape);

/// Size limits of a graph, so that no count overflows. Graph files are checked against them. Limits for an axis,
/// elements of a tensor (one image) or weights of a layer, multiply-accumulates of a layer, and images of a batch.
inline constexpr std::int64_t max_axis = std::int64_t{1} << 24, max_elements = std::int64_t{1} << 31,
                              max_layer_macs = std::int64_t{1} << 42, max_batch = std::int64_t{1} << 16;

/// Convolution with bias; pairs are (vertical, horizontal). groups == in == out channels is depthwise. Negative
/// padding removes rows or columns at that end.
struct Conv2d {
  int out_channels = 0;
  std::array<int, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0};
  int groups = 1;
  Activation act = Activation::none;
  std::array<int, 2> dilation{1, 1};
  /// Extra padding at the end (below, right), in addition to `padding`; may be negative.
  std::array<int, 2> more_padding{0, 0};
  bool operator==(const Conv2d&) const = default;
};

/// Pooling; global_avg ignores the geometry and gives 1 x 1. Padding may be negative, as in Conv2d.
struct Pool2d {
  PoolType type = PoolType::max;
  std::array<int, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0};
  bool count_padding = true;  ///< avg: padding counts in the divisor
  bool ceil = false;          ///< round output sizes up: the last window may extend beyond the padding
  std::array<int, 2> dilation{1, 1};
  std::array<int, 2> more_padding{0, 0};  ///< as in Conv2d
  bool operator==(const Pool2d&) const = default;
};

/// A separate activation.
struct Activate {
  Activation act = Activation::relu;
  bool operator==(const Activate&) const = default;
};

enum class Interpolation { nearest, linear };
/// Position of output pixel i of n among the m input pixels.
enum class Coordinates {
  half_pixel,     ///< (i + 1/2) m / n - 1/2
  asymmetric,     ///< i m / n
  align_corners,  ///< i (m - 1) / (n - 1)
};
/// Rounding of a coordinate between two pixels, for nearest-neighbour interpolation.
enum class Rounding { floor, ceil, half_down, half_up };

/// Resizes the image to (height, width). Pixels outside read as the pixel at the edge.
struct Resize2d {
  std::array<int, 2> size{1, 1};
  Interpolation interpolation = Interpolation::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  Rounding rounding = Rounding::half_down;
  std::array<double, 2> scale{0, 0};  ///< n / m, if it differs from what the sizes give; 0: from the sizes
  bool operator==(const Resize2d&) const = default;
};

/// Channels become pixels: of C * block[0] * block[1] channels, those that differ only in their phase become a block
/// of pixels of one of C channels. Rows and columns at the edges of the result may be removed.
struct DepthToSpace {
  std::array<int, 2> block{1, 1};
  bool phase_first = true;  ///< channel index (phase, c) if true, else (c, phase); phases are row by row
  std::array<int, 2> crop{0, 0}, crop_end{0, 0};
  bool operator==(const DepthToSpace&) const = default;
};

/// The pixels of the image, row by row, as pixels from `begin` on of one row of `width`, with zeros around them. A sum
/// of such rows joins images of different sizes.
struct PixelRow {
  int begin = 0, width = 1;
  bool operator==(const PixelRow&) const = default;
};

/// exp(x) / sum of exp(x) at each pixel, with channels viewed as [groups][size][inner], over `size`.
struct Softmax {
  int size = 1, inner = 1;
  bool operator==(const Softmax&) const = default;
};

/// (x - mean) / sqrt(variance + epsilon): mean and variance of each of `groups` equal groups of channels, over all
/// pixels of an image or at each pixel alone.
struct Normalize {
  int groups = 1;
  bool per_pixel = false;
  float epsilon = 1e-5f;  ///< at least 0
  bool operator==(const Normalize&) const = default;
};

using Layer = std::variant<Conv2d, Pool2d, Activate, Resize2d, DepthToSpace, PixelRow, Softmax, Normalize>;

/// Rows [begin, end) of a tensor, or images of a batch.
struct Range {
  int begin = 0, end = 0;
  int size() const { return end - begin; }
  bool empty() const { return end <= begin; }
  bool operator==(const Range&) const = default;
};
/// Intersection.
constexpr Range common(const Range& a, const Range& b) {
  return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}
/// Smallest interval that contains both.
constexpr Range hull(const Range& a, const Range& b) {
  return {a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

/// A region: some rows of some images of a batch of tensors.
struct Region {
  Range images, rows;
  bool empty() const { return images.empty() || rows.empty(); }
  bool operator==(const Region&) const = default;
};
constexpr Region common(const Region& a, const Region& b) {
  return {common(a.images, b.images), common(a.rows, b.rows)};
}
constexpr Region hull(const Region& a, const Region& b) { return {hull(a.images, b.images), hull(a.rows, b.rows)}; }

/// Channels [begin, end) of an operator's output.
struct Value {
  OpId op = -1;
  int begin = 0, end = 0;
  int channels() const { return end - begin; }
  bool operator==(const Value&) const = default;
};

/// Values added element by element, all of the same shape.
using Term = std::vector<Value>;

/// How an operator combines its terms.
enum class Combine {
  concat,   ///< concatenated along channels
  product,  ///< multiplied; a term with one channel, row or column is broadcast to the size of the others
};

/// A schedulable unit. Without terms: a graph input or a stack. Without layers and product: a join (identity).
///
/// A split operator (Graph::with_splits) consists of *strips*, which compute regions of its output, and a *stack*, a
/// name
/// for the complete output. The stack is read like any operator, but it is not a unit. A strip of a global average is
/// a
/// separate unit without a stack; its output is a partial sum.
struct Operator {
  std::string name;
  std::vector<Term> terms;    ///< combined as given by `combine`
  std::vector<Layer> layers;  ///< applied in order
  Shape input;                ///< of all terms
  Shape output;
  Combine combine = Combine::concat;
  std::vector<Shape> factors{};  ///< for a product: its terms before broadcasting
  OpId stack = -1;               ///< for a strip; a stack is its own
  Region writes{};               ///< the region of the stack's output that a strip computes
  Region reads{};  ///< the region of its terms that a strip reads; for a single row that is broadcast: that row
  bool ends_early = false;  ///< its last ReLU is that of its readers in the network (core/graph/early_relu.hpp)
  bool relieved = false;    ///< in the network it begins with a ReLU, which those that it reads apply

  bool is_unit() const { return !terms.empty(); }
  bool is_stack() const { return !is_unit() && stack >= 0; }
  bool is_strip() const { return is_unit() && stack >= 0; }
  bool is_input() const { return !is_unit() && stack < 0; }
  bool is_product() const { return combine == Combine::product; }
  bool is_join() const { return !terms.empty() && layers.empty() && !is_product(); }
  /// The only layer, if it is a convolution (and there is no product); else nullptr.
  const Conv2d* as_conv() const {
    return layers.size() == 1 && !is_product() ? std::get_if<Conv2d>(&layers.front()) : nullptr;
  }
};

/// Is it a ReLU, or a convolution that ends in one?
bool ends_in_relu(const Layer& layer);

/// The layers as in the network: with a ReLU that was moved (core/graph/early_relu.hpp) back in front of its readers.
std::vector<Layer> network_layers(const Operator& op);

/// Throws Error if a tensor of this shape is empty or exceeds the limits.
void check_shape(const Shape& shape);

/// Output shape of a layer for this input shape. Throws Error if it does not fit.
Shape infer_shape(const Layer& layer, const Shape& input);

/// A depthwise convolution: one channel in and one out for each of several groups.
bool is_depthwise(const Layer& layer, const Shape& input);

/// Does a layer scale and shift each channel separately, like a depthwise 1x1 convolution, and end in ReLU or nothing?
bool is_affine(const Layer& layer, const Shape& input);

/// Does a layer read one pixel per output pixel: a 1x1 convolution with one group and no padding? A preceding affine
/// layer can then be applied to the values as they are read.
bool is_pointwise(const Layer& layer);

/// Can the layer after layer `i` (with this input) apply layer i as it reads: an affine layer before a pointwise
/// convolution?
bool is_done_by_next(const Operator& op, std::size_t i, const Shape& input);

/// Short name of the operator's type: input, stack, join, conv2d, pool2d, relu (or another activation), resize,
/// depth_to_space, pixel_row, softmax, normalize, product, sepconv, chain.
std::string kind_name(const Operator& op);

/// Values that an operator reads per image: all values of a sum; broadcast values count once.
std::int64_t values_read(const Operator& op);

/// Multiply-accumulates of a layer for one image (convolutions only, bias not counted).
std::int64_t layer_macs(const Layer& layer, const Shape& input);

/// Weights of a layer including bias, as a number of scalars.
std::int64_t layer_weights(const Layer& layer, const Shape& input);

}  // namespace opsched
