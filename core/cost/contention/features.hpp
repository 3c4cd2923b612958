// Features of an operator that determine its latency and utilisation.
#pragma once

#include <span>
#include <vector>

#include "core/graph/operator.hpp"

namespace opsched {

/// For the whole batch.
struct OperatorFeatures {
  double macs = 0;           ///< of all its convolutions
  double bytes_read = 0;     ///< activations, counting every value of a sum
  double bytes_written = 0;  ///< the output; intermediate results between its layers do not count
  double weight_bytes = 0;
  double outputs = 0;   ///< scalars written
  double pixels = 0;    ///< batch * height * width of the output
  double channels = 0;  ///< of the output
  /// Multiply-accumulates per output of the heaviest convolution, or the window size of the pool.
  double reduction = 0;
  double kernel_area = 0;  ///< largest window of its layers
  double stride = 1;       ///< product over its layers, both directions
  double values = 0;       ///< read
  double layers = 0;
  bool depthwise = false;  ///< has a depthwise layer
  bool pool = false;
  bool joins = false;  ///< only concatenates values: mostly written in place, at no cost
};

/// `op` from a graph, or parsed from a signature.
OperatorFeatures operator_features(const Operator& op, int batch, int element_bytes);

/// Does it need several kernels, one after another?
bool is_chain(const Operator& op);

/// Numbers of similar magnitude for regressions: logarithms of the features, and flags.
std::vector<double> regression_features(const OperatorFeatures& features);

/// The convolution that results from merging these (their signatures belong to one merge stage: same input, stride,
/// output size), as an operator. Throws Error if they are not convolutions.
Operator merged_operator(std::span<const Operator> ops);

}  // namespace opsched
