// Graphs that use everything a Graph can hold.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched::test {

/// Draws operators of every kind over sums and joins of channel slices, with one or more inputs,
/// in blocks of which some have parts. Names need quoting now and then.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : random_(seed) {}

  Graph draw(int units) {
    Graph graph("random \"" + std::to_string(units) + "\" \u00e4", 1 + below(3));
    for (int i = 0, n = 1 + below(2); i < n; ++i)
      graph.add_input("input" + std::to_string(i), {2 + below(6), 9 + below(4), 9 + below(4)});
    std::vector<std::vector<OpId>> parts;
    const bool blocks = below(8) > 0;
    for (int i = 0; i < units; ++i) {
      const OpId id = add_unit(graph, "unit " + std::to_string(i) + (below(9) == 0 ? " \\\"\n" : ""));
      if (parts.empty() || below(3) == 0) parts.emplace_back();
      parts.back().push_back(id);
      if (blocks && (below(6) == 0 || i + 1 == units)) {
        if (below(2)) parts.clear();
        graph.end_block("block " + std::to_string(graph.blocks().size()), std::exchange(parts, {}));
      }
    }
    return graph;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
  Activation activation() { return std::vector{Activation::none, Activation::relu, Activation::tanh}[below(3)]; }

  OpId add_unit(Graph& graph, const std::string& name) {
    // Everything of the size of one operator can be read together.
    const Shape like = graph.op(below(graph.size())).output;
    std::vector<OpId> fitting;
    for (OpId id = 0; id < graph.size(); ++id)
      if (graph.op(id).output.h == like.h && graph.op(id).output.w == like.w) fitting.push_back(id);
    std::vector<Term> terms(1 + below(3));
    int channels = 0;
    for (Term& term : terms) {
      int width = 1 + below(4);
      for (int i = 0, n = 1 + below(3); i < n; ++i) {
        const OpId id = fitting[below(static_cast<int>(fitting.size()))];
        width = std::min(width, graph.op(id).output.c);
        term.push_back({id, 0, 0});
      }
      for (Value& value : term) {
        value.begin = below(graph.op(value.op).output.c - width + 1);
        value.end = value.begin + width;
      }
      channels += width;
    }
    return graph.add(name, std::move(terms), layers({channels, like.h, like.w}));
  }

  std::vector<Layer> layers(Shape shape) {
    std::vector<Layer> list;
    for (int i = 0, n = below(4); i < n; ++i) {
      list.push_back(layer(shape));
      shape = infer_shape(list.back(), shape);
    }
    return list;
  }

  Layer layer(const Shape& in) {
    const int kernel = std::min({1 + below(3), in.h, in.w}), stride = below(5) == 0 ? 2 : 1;
    switch (below(4)) {
      case 0:
        return Activate{below(2) ? Activation::relu : Activation::tanh};
      case 1:
        return pool(kernel, stride);
      case 2:
        return Conv2d{.out_channels = in.c,
                      .kernel = {kernel, 1},
                      .stride = {stride, stride},
                      .padding = {kernel / 2, 0},
                      .groups = in.c,
                      .act = activation()};
      default:
        return Conv2d{.out_channels = 1 + below(6), .kernel = {1, kernel}, .padding = {1, 1}, .act = activation()};
    }
  }

  Pool2d pool(int kernel, int stride) {
    const PoolType type = below(6) == 0 ? PoolType::global_avg : below(2) ? PoolType::max : PoolType::avg;
    const bool count_padding = below(2) == 0;
    return {.type = type,
            .kernel = {kernel, kernel},
            .stride = {stride, 1},
            .padding = {kernel / 2, 0},
            .count_padding = count_padding,
            .ceil = (type != PoolType::avg || !count_padding) && below(2) == 0};
  }

  std::mt19937_64 random_;
};

}  // namespace opsched::test
