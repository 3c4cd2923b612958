// Operators before they become a graph, while neighbours can still be fused into them. Only for the importer.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// What an operator will be. A Value's `op` is the index of a unit here.
struct OnnxUnit {
  std::string name;
  std::vector<Term> terms;  ///< none: an input
  std::vector<Layer> layers;
  std::map<int, std::shared_ptr<const ConvWeights>> weights;  ///< of each convolution, by layer
  Shape output;
  bool is_affine = false;  ///< its only layer scales and shifts channels (as a depthwise 1x1 convolution)
  /// Its only layer picks pixels, or adds zeros around (as a depthwise 1x1 convolution).
  bool is_padding = false;
  Combine combine = Combine::concat;

  bool is_input() const { return terms.empty(); }
  bool is_product() const { return combine == Combine::product; }
  bool is_join() const { return !terms.empty() && layers.empty() && !is_product(); }
  /// Index of the layer that produces the unit's results (possibly rearranged pixels), if it is a convolution without
  /// activation; otherwise -1.
  int open_conv() const;
};

/// An output of the model, by name.
struct OnnxOutput {
  std::string name;
  std::vector<Term> terms;
};

class OnnxUnits {
 public:
  /// `names`: candidates, preferred first; the first unused one is taken.
  int add_input(const std::vector<std::string>& names, Shape shape);
  /// A unit without layers. Throws Error where the shapes of what it reads do not fit.
  int add(const std::vector<std::string>& names, std::vector<Term> terms);
  /// The product of terms, as Operator has it.
  int add_product(const std::vector<std::string>& names, std::vector<Term> terms);
  /// Appends a layer. Throws Error where it does not fit.
  void append(int unit, const Layer& layer);
  void append(int unit, const Conv2d& layer, std::shared_ptr<const ConvWeights> weights);
  /// Appends channel * factor + bias to a unit without layers.
  void append_affine(int unit, std::vector<float> factor, std::vector<float> bias);

  /// Appends zeros around a unit without layers, or cuts off: `before` and `more` as in Conv2d; then takes every
  /// `stride`th pixel.
  void append_padding(int unit, std::array<int, 2> before, std::array<int, 2> more, std::array<int, 2> stride);

  const OnnxUnit& operator[](int unit) const { return units_[unit]; }
  int size() const { return static_cast<int>(units_.size()); }
  Value all(int unit) const { return {unit, 0, units_[unit].output.c}; }

  /// The graph of everything that the outputs need, divided into natural blocks, with its weights. Affine units and
  /// activations are fused into the preceding unit if it has no other readers. Remaining affine units are fused into
  /// the following pointwise convolutions if they have no other readers.
  Graph finish(const std::string& name, int batch, const std::vector<OnnxOutput>& outputs);

 private:
  std::string free_name(const std::vector<std::string>& names);
  void add_outputs(const std::vector<OnnxOutput>& outputs);
  /// The outputs, read from their final location.
  std::vector<OnnxOutput> fuse(std::vector<OnnxOutput> outputs);
  void fuse_into_readers();
  bool fuse_into(int producer, OnnxUnit& unit);
  bool fuse_affine(OnnxUnit& into, const OnnxUnit& affine);
  void fold_affine(OnnxUnit& from, OnnxUnit& unit);
  void fuse_padding(OnnxUnit& unit);
  void fuse_gate(OnnxUnit& unit);
  void fuse_repeats(OnnxUnit& unit);

  std::vector<OnnxUnit> units_;
  std::vector<char> needed_;
  std::unordered_set<std::string> names_;
};

}  // namespace opsched
