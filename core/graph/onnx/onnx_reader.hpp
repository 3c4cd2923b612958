// State of the ONNX importer while it processes a model's nodes. Only for the importer.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/graph/onnx/onnx_data.hpp"
#include "core/graph/onnx/onnx_model.hpp"
#include "core/graph/onnx/onnx_numbers.hpp"
#include "core/graph/onnx/onnx_units.hpp"

namespace opsched {

class OnnxReader {
 public:
  OnnxReader(OnnxModel model, std::string folder) : model_(std::move(model)), files_(std::move(folder)) {}

  Graph read(const std::string& name);

  // ---- for the operators

  int batch() const { return batch_; }
  std::int64_t opset() const { return model_.opset; }
  const OnnxUnits& units() const { return units_; }

  /// Input `i`, computed from the model's inputs. It may be an intermediate step or channels-last. Throws Error if it
  /// is a constant or missing.
  const OnnxData& value(const OnnxNode& node, std::size_t i) const;
  /// The same, but not an intermediate step.
  const OnnxData& computed(const OnnxNode& node, std::size_t i) const;
  /// The same, but not channels-last.
  const OnnxData& data(const OnnxNode& node, std::size_t i) const;
  /// The same as [batch, channels, ...]: `dims` beyond the second together are height and width.
  const OnnxData& channels(const OnnxNode& node, std::size_t i) const;
  /// The same as [batch, channels, height, width].
  const OnnxData& image(const OnnxNode& node, std::size_t i) const;
  /// Input `i`, a list of values; never empty.
  const std::vector<OnnxData>& sequence(const OnnxNode& node, std::size_t i) const;
  /// nullptr if input `i` is a constant.
  const OnnxData* found(const OnnxNode& node, std::size_t i) const;
  /// nullptr if input `i` is not a constant.
  const OnnxTensor* constant(const OnnxNode& node, std::size_t i) const;
  const OnnxTensor& needed_constant(const OnnxNode& node, std::size_t i) const;
  /// A constant list of this length.
  std::vector<float> floats(const OnnxNode& node, std::size_t i, std::int64_t length);
  std::vector<float> floats(const OnnxTensor& tensor) { return tensor.floats(files_); }
  std::vector<std::int64_t> integers(const OnnxNode& node, std::size_t i);
  std::vector<std::int64_t> integers(const OnnxTensor& tensor) { return tensor.integers(files_); }
  OnnxNumbers numbers(const OnnxTensor& tensor);
  /// A single number; `otherwise` if there is no input `i`.
  double number(const OnnxNode& node, std::size_t i, double otherwise);

  /// A unit without layers that reads these terms.
  int add_unit(const OnnxNode& node, std::vector<Term> terms);
  int add_unit(const OnnxNode& node, const OnnxData& from);
  int add_product(const OnnxNode& node, std::vector<Term> terms);
  /// The whole value as one term: the unit itself, or a join of its pieces.
  Term term_of(const OnnxNode& node, const OnnxData& from);
  void append(int unit, const Layer& layer) { units_.append(unit, layer); }
  void append(int unit, const Conv2d& layer, std::shared_ptr<const ConvWeights> weights) {
    units_.append(unit, layer, std::move(weights));
  }
  void append_padding(int unit, std::array<int, 2> before, std::array<int, 2> more,
                      std::array<int, 2> stride = {1, 1}) {
    units_.append_padding(unit, before, more, stride);
  }
  /// The pixels of `from`, row by row, starting at `begin` of a row of `width`.
  OnnxData pixel_row(const OnnxNode& node, const OnnxData& from, std::int64_t begin, std::int64_t width);
  void append_affine(int unit, std::vector<float> factor, std::vector<float> bias) {
    units_.append_affine(unit, std::move(factor), std::move(bias));
  }
  /// Weights as they are in the model, shared by all convolutions that read them. `bias` may be null.
  std::shared_ptr<const ConvWeights> weights(const OnnxTensor& weight, const OnnxTensor* bias, int out_channels);

  /// Output 0 of the node is this unit's, as an image; or with other dims.
  void define(const OnnxNode& node, int unit);
  void define(const OnnxNode& node, int unit, std::vector<std::int64_t> dims);
  void define(const OnnxNode& node, OnnxData data, std::size_t output = 0);
  /// The same, seen as `from` is.
  void define_like(const OnnxNode& node, int unit, const OnnxData& from);
  OnnxData data_like(int unit, const OnnxData& from) const;
  void define_sequence(const OnnxNode& node, std::vector<OnnxData> values);
  /// Marks output 0 as an intermediate step.
  void define_step(const OnnxNode& node, OnnxMeaning meaning, const OnnxData& like);
  void define(const OnnxNode& node, std::shared_ptr<const OnnxTensor> constant);
  void define(const OnnxNode& node, OnnxTensor constant);
  /// Output 0 of the node is its first input, constant or not.
  void define_same(const OnnxNode& node);

 private:
  void add_input(const OnnxValue& input);
  std::vector<char> needed_nodes() const;
  std::vector<std::vector<std::string>> last_reads(const std::vector<char>& needed) const;
  /// Processes a node, and frees computed constants of which it is the last reader.
  void read(const OnnxNode& node, const std::vector<std::string>& last_read);
  void check_operators(const std::vector<char>& needed) const;
  void add_channels_last(const OnnxValue& input);
  OnnxData as_one_channel(const OnnxData& data);
  OnnxOutput output(const OnnxValue& value);

  OnnxModel model_;
  OnnxFiles files_;
  int batch_ = 1;
  OnnxUnits units_;
  std::unordered_map<std::string, OnnxData> values_;
  std::unordered_map<std::string, std::vector<OnnxData>> sequences_;
  std::map<std::pair<const OnnxTensor*, const OnnxTensor*>, std::shared_ptr<const ConvWeights>>
      weights_;  ///< of the file's own constants
};

/// How to read the nodes of a type.
using OnnxOperators = std::map<std::string, void (*)(OnnxReader&, const OnnxNode&)>;
void add_onnx_layers(OnnxOperators& operators);
void add_onnx_elementwise(OnnxOperators& operators);
void add_onnx_arithmetic(OnnxOperators& operators);
void add_onnx_images(OnnxOperators& operators);
void add_onnx_normalisation(OnnxOperators& operators);
void add_onnx_reductions(OnnxOperators& operators);
void add_onnx_slices(OnnxOperators& operators);
void add_onnx_steps(OnnxOperators& operators);
void add_onnx_shapes(OnnxOperators& operators);
void add_onnx_folding(OnnxOperators& operators);
/// Computes a node that reads only constants. Returns false if it reads others or cannot be computed.
bool fold_onnx(OnnxReader& reader, const OnnxNode& node);
/// Could it be?
bool folds_onnx(const OnnxNode& node);

/// Steps of normalisations and GELUs: false if the node is none.
bool recognise_onnx_add(OnnxReader& reader, const OnnxNode& node);
bool recognise_onnx_sub(OnnxReader& reader, const OnnxNode& node);
bool recognise_onnx_mul(OnnxReader& reader, const OnnxNode& node);
bool recognise_onnx_div(OnnxReader& reader, const OnnxNode& node);
/// A constant that is one number.
std::optional<double> onnx_scalar(OnnxReader& reader, const OnnxNode& node, std::size_t i);

/// A value, each of whose axes of 1 may have been repeated to these dims: as channels of units, and as images.
OnnxData onnx_repeated(OnnxReader& reader, const OnnxNode& node, const OnnxData& from,
                       const std::vector<std::int64_t>& dims, bool pixels_too);

/// The effect of Slice on an axis: every `step`th place from `begin` on, `end` not included.
struct OnnxCut {
  std::int64_t begin = 0, end = 0, step = 1;
  std::int64_t count() const {
    return std::max<std::int64_t>((end - begin + (step > 0 ? step - 1 : step + 1)) / step, 0);
  }
};
/// By axis of a value or constant of these dims.
std::map<std::size_t, OnnxCut> onnx_cuts(OnnxReader& reader, const OnnxNode& node,
                                         const std::vector<std::int64_t>& dims);

/// An axis counted from the front. Throws Error if there is no such axis; `last` is the largest one.
std::size_t onnx_axis(std::int64_t axis, std::size_t rank, std::size_t last);

}  // namespace opsched
