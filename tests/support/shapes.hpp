// Small graphs of every shape that a scheduler must handle.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched::test {

/// A graph from the predecessors of every unit. Unit i is operator i + 1; operator 0 is the input, which units without
/// predecessors read. Units are 1x1 and 3x3 convolutions of four channels over the sum of what they read, so that units
/// with the same inputs can merge. One block.
inline Graph graph_of(const std::string& name, const std::vector<std::vector<int>>& preds) {
  Graph graph(name);
  const OpId in = graph.add_input("in", {4, 8, 8});
  for (std::size_t i = 0; i < preds.size(); ++i) {
    Term term;
    for (int p : preds[i]) term.push_back({p + 1, 0, 4});
    if (term.empty()) term.push_back({in, 0, 4});
    const int kernel = i % 3 == 0 ? 3 : 1;
    std::string unit = "u";
    unit += std::to_string(i);
    graph.add(unit, {term},
              {Conv2d{.out_channels = 4, .kernel = {kernel, kernel}, .padding = {kernel / 2, kernel / 2}}});
  }
  graph.end_block("all");
  return graph;
}

inline Graph chain(int n) {
  std::vector<std::vector<int>> preds(n);
  for (int i = 1; i < n; ++i) preds[i] = {i - 1};
  return graph_of("chain", preds);
}

/// `branches` chains of `length` between a source and a sink.
inline Graph fork_join(int branches, int length) {
  std::vector<std::vector<int>> preds = {{}};
  std::vector<int> ends;
  for (int b = 0; b < branches; ++b)
    for (int i = 0; i < length; ++i) {
      preds.push_back({i == 0 ? 0 : static_cast<int>(preds.size()) - 1});
      if (i == length - 1) ends.push_back(static_cast<int>(preds.size()) - 1);
    }
  preds.push_back(ends);
  return graph_of("fork_join", preds);
}

inline Graph diamond() { return graph_of("diamond", {{}, {0}, {0}, {1, 2}}); }

/// Operators that share nothing but the input of the graph.
inline Graph wide(int n) { return graph_of("wide", std::vector<std::vector<int>>(n)); }

/// Chains that never meet.
inline Graph disconnected(int parts, int length) {
  std::vector<std::vector<int>> preds;
  for (int p = 0; p < parts; ++p)
    for (int i = 0; i < length; ++i)
      preds.push_back(i == 0 ? std::vector<int>{} : std::vector<int>{static_cast<int>(preds.size()) - 1});
  return graph_of("disconnected", preds);
}

/// `layers` layers of up to `width` operators. Every operator reads one to three operators of earlier layers, including
/// one of the previous layer, and some also read the input.
inline Graph layered(int layers, int width, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  std::vector<std::vector<int>> preds;
  int layer_begin = 0;
  for (int layer = 0; layer < layers; ++layer) {
    const int begin = static_cast<int>(preds.size());
    const int n = 1 + below(width);
    for (int i = 0; i < n; ++i) {
      std::vector<int> from;
      if (layer > 0) {
        from.push_back(layer_begin + below(begin - layer_begin));
        for (int extra = below(3); extra > 0; --extra) {
          const int p = below(begin);
          if (std::find(from.begin(), from.end(), p) == from.end()) from.push_back(p);
        }
        if (below(8) == 0) from.push_back(-1);  // the input
      }
      preds.push_back(std::move(from));
    }
    layer_begin = begin;
  }
  return graph_of("layered", preds);
}

/// One graph of every shape; the random ones are drawn from `seed`.
inline std::vector<Graph> every_shape(std::uint64_t seed) {
  std::vector<Graph> graphs;
  graphs.push_back(chain(1));
  graphs.push_back(chain(7));
  graphs.push_back(diamond());
  graphs.push_back(fork_join(3, 3));
  graphs.push_back(fork_join(6, 1));
  graphs.push_back(disconnected(3, 3));
  graphs.push_back(wide(9));
  graphs.push_back(layered(5, 4, seed));
  graphs.push_back(layered(8, 3, seed + 1));
  return graphs;
}

}  // namespace opsched::test
