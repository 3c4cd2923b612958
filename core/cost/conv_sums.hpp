// Sums of two tensors that a convolution can do before it stores its output (core/runtime/program/fuse_sums.hpp). In a
// schedule they take less time then than alone.
#pragma once

#include <boost/dynamic_bitset.hpp>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// An operator that only adds, as far as the graph decides who can do it. A schedule decides whether they do.
struct ConvSum {
  struct Residual {
    OpId op;
    boost::dynamic_bitset<> from;  ///< this operator, and all that need it, by OpId
  };
  /// Convolutions that write one summand, which nothing else reads. They must start after all residuals.
  struct Way {
    std::vector<OpId> convs;
    std::vector<Residual> residuals;
  };
  OpId op;
  std::vector<std::vector<Way>> terms;  ///< by term of two values: at least one way
};

/// All of a graph, ascending. Operators with a sum that no convolution can do are left out.
std::vector<ConvSum> conv_sums(const Graph& graph);

}  // namespace opsched
