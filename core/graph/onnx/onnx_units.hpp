// Operators that become a graph, while neighbours may still be fused into them. For the ONNX importer.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// What an operator will be. Terms are indices of other units, read as a whole.
struct OnnxUnit {
  std::string name;
  std::vector<std::vector<int>> terms;  ///< none: an input
  std::vector<Layer> layers;
  std::map<int, ConvWeights> weights;  ///< of each convolution, by layer
  Shape output;

  bool is_join() const { return !terms.empty() && layers.empty(); }
  /// The last layer, if it is a convolution without activation; else nullptr.
  Conv2d* open_conv();
};

class OnnxUnits {
 public:
  /// `names`: the wished one first; the first that is not taken is used.
  int add_input(const std::vector<std::string>& names, Shape shape);
  /// A unit without layers. Throws Error where the shapes of what it reads do not fit.
  int add(const std::vector<std::string>& names, std::vector<std::vector<int>> terms);
  /// Appends a layer. Throws Error where it does not fit.
  void append(int unit, const Layer& layer);
  void append(int unit, const Conv2d& layer, ConvWeights weights);

  OnnxUnit& operator[](int unit) { return units_[unit]; }
  int size() const { return static_cast<int>(units_.size()); }

  /// The graph of all that the outputs need, cut into natural blocks, with its weights.
  Graph finish(const std::string& name, int batch, const std::vector<std::pair<std::string, int>>& outputs);

 private:
  std::string free_name(const std::vector<std::string>& names);

  std::vector<OnnxUnit> units_;
  std::unordered_set<std::string> names_;
};

}  // namespace opsched
