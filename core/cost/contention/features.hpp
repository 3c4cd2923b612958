// What an operator's latency and its utilisation of the device depend on, as numbers.
#pragma once

#include <span>
#include <vector>

#include "core/graph/operator.hpp"

namespace opsched {

/// For the whole batch.
struct OperatorFeatures {
  double macs = 0;           ///< of all its convolutions
  double bytes_read = 0;     ///< activations; every value of a sum counts
  double bytes_written = 0;  ///< the output; what passes between its layers is not counted
  double weight_bytes = 0;
  double outputs = 0;      ///< scalars written
  double pixels = 0;       ///< batch * height * width of the output
  double channels = 0;     ///< of the output
  double reduction = 0;    ///< multiply-accumulates an output of the heaviest convolution, or the pool's window
  double kernel_area = 0;  ///< largest window of its layers
  double stride = 1;       ///< product over its layers, both directions
  double values = 0;       ///< read
  double layers = 0;
  bool depthwise = false;  ///< has a depthwise layer
  bool pool = false;
  bool joins = false;  ///< only puts values side by side: mostly written in place, at no cost
};

/// `op` as in a graph, or as read back from a signature.
OperatorFeatures operator_features(const Operator& op, int batch, int element_bytes);

/// Does it take several kernels, one after another?
bool is_chain(const Operator& op);

/// Numbers of like size for regressions: logarithms of the features, and flags.
std::vector<double> regression_features(const OperatorFeatures& features);

/// The one convolution that a merge of these makes (their signatures are of one merge stage: same
/// input, stride, output size), as an operator. Throws Error where they are no convolutions.
Operator merged_operator(std::span<const Operator> ops);

}  // namespace opsched
