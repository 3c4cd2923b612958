// Helpers for describing a network block by block.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

using Pair = std::array<int, 2>;  ///< (vertical, horizontal)

/// Adds operators named "block/name" to a graph.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(Graph& graph) : graph_(graph) {}

  /// Starts a block; everything added until end() belongs to it.
  void begin(std::string block) { block_ = std::move(block); }
  /// Names the following operators "part/name" and starts a new part of the block.
  void begin_part(std::string part) {
    block_ = std::move(part);
    parts_.emplace_back();
  }
  /// Ends the block, with the parts begun in it, if any.
  void end(const std::string& block) { graph_.end_block(block, std::exchange(parts_, {})); }
  void end() { end(std::string(block_)); }

  OpId add(const std::string& name, std::vector<Term> terms, std::vector<Layer> layers) {
    const OpId id = graph_.add(block_ + "/" + name, std::move(terms), std::move(layers));
    if (!parts_.empty()) parts_.back().push_back(id);
    return id;
  }
  OpId conv(const std::string& name, OpId from, Conv2d layer) { return add(name, {graph_.all(from)}, {layer}); }
  OpId pool(const std::string& name, OpId from, Pool2d layer) { return add(name, {graph_.all(from)}, {layer}); }

  /// The sum of whole outputs.
  Term sum(const std::vector<OpId>& ids) const {
    Term term;
    for (OpId id : ids) term.push_back(graph_.all(id).front());
    return term;
  }
  /// A join: concatenation of whole outputs along channels.
  OpId concat(const std::string& name, std::initializer_list<OpId> ids) {
    std::vector<Term> terms;
    for (OpId id : ids) terms.push_back(graph_.all(id));
    return add(name, std::move(terms), {});
  }

  int channels(OpId id) const { return graph_.op(id).output.c; }

 private:
  Graph& graph_;
  std::string block_;
  std::vector<std::vector<OpId>> parts_;
};

/// A dense convolution with ReLU.
inline Conv2d conv_relu(int out_channels, Pair kernel = {1, 1}, Pair stride = {1, 1}, Pair padding = {0, 0}) {
  return {.out_channels = out_channels,
          .kernel = kernel,
          .stride = stride,
          .padding = padding,
          .groups = 1,
          .act = Activation::relu};
}

inline Pool2d max_pool(int kernel, int stride, int padding = 0) {
  return {.type = PoolType::max, .kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {padding, padding}};
}

/// Padding counts in the divisor.
inline Pool2d avg_pool(int kernel, int stride, int padding = 0) {
  return {.type = PoolType::avg, .kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {padding, padding}};
}

inline Pool2d global_avg_pool() { return {.type = PoolType::global_avg}; }

}  // namespace opsched
