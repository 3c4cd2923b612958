// Graphs that use every feature of Graph.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched::test {

/// Draws operators of every kind that read sums and joins of channel slices, with one or more inputs, in blocks, some
/// of which have parts. Some names need quoting.
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
      const OpId id = add_unit(graph, "unit " + std::to_string(i) + (below(9) == 0 ? " \\\"é" : ""));
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
  float parameter() { return static_cast<float>(below(9) - 4) / 8; }
  Activation activation() {
    if (below(3)) return std::vector{Activation::none, Activation::relu, Activation::tanh}[below(3)];
    const auto kind = static_cast<Activation::Kind>(below(Activation::kinds));
    const int parameters = activation_parameters(kind);
    return {kind, parameters > 0 ? parameter() : 0, parameters > 1 ? 1 + parameter() : 0};
  }

  OpId add_unit(Graph& graph, const std::string& name) {
    // Values of the same image size can be read together.
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
    if (below(6) == 0) return add_product(graph, name, terms.front());
    return graph.add(name, std::move(terms), layers({channels, like.h, like.w}));
  }

  /// A sum, times a factor that fits: of the same size, or with one channel, row or column.
  OpId add_product(Graph& graph, const std::string& name, const Term& sum) {
    const Shape shape{sum.front().channels(), graph.op(sum.front().op).output.h, graph.op(sum.front().op).output.w};
    std::vector<Term> terms{sum};
    for (int i = 0, n = 1 + below(2); i < n; ++i)
      for (int tries = 0; tries < 20; ++tries) {
        const OpId id = below(graph.size());
        const Shape from = graph.op(id).output;
        if ((from.h != shape.h && from.h != 1) || (from.w != shape.w && from.w != 1)) continue;
        const int width = from.c < shape.c || below(3) == 0 ? 1 : shape.c, begin = below(from.c - width + 1);
        terms.push_back({{id, begin, begin + width}});
        break;
      }
    if (below(2)) std::swap(terms.front(), terms.back());
    return graph.add(name, std::move(terms), layers(shape), Combine::product);
  }

  std::vector<Layer> layers(Shape shape) {
    std::vector<Layer> list;
    for (int i = 0, n = below(4); i < n; ++i) {
      list.push_back(layer(shape));
      shape = infer_shape(list.back(), shape);
    }
    if (below(6) == 0) {  // an affine layer before a pointwise convolution
      const Activation act = below(3) ? Activation::relu : Activation::none;
      list.push_back(Conv2d{.out_channels = shape.c, .groups = shape.c, .act = act});
      list.push_back(Conv2d{.out_channels = 1 + below(6), .stride = {1 + below(2), 1}, .act = activation()});
    }
    return list;
  }

  Layer layer(const Shape& in) {
    const int kernel = std::min({1 + below(3), in.h, in.w}), stride = below(5) == 0 ? 2 : 1;
    switch (below(5)) {
      case 4:
        return uncommon(in);
      case 0: {
        const Activation act = activation();
        return Activate{act == Activation::none ? Activation::relu : act};
      }
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

  /// Windows with a dilation and four paddings, and resizing.
  Layer uncommon(const Shape& in) {
    const int dilation = in.h > 2 ? 1 + below(2) : 1, extent = 2 * dilation + 1;
    const bool fits = in.h + dilation >= extent && in.w + dilation >= extent;
    const int kind = fits ? below(3) : 2;
    if (kind == 0)
      return Conv2d{.out_channels = 1 + below(4),
                    .kernel = {3, 3},
                    .padding = {dilation, below(2) * dilation},
                    .act = activation(),
                    .dilation = {dilation, dilation},
                    .more_padding = {-below(2), dilation}};
    if (kind == 1)
      return Pool2d{.type = below(2) ? PoolType::max : PoolType::avg,
                    .kernel = {3, 3},
                    .padding = {dilation, 0},
                    .count_padding = below(2) == 0,
                    .dilation = {dilation, dilation},
                    .more_padding = {-below(2), dilation}};
    return Resize2d{.size = {1 + below(14), 1 + below(14)},
                    .interpolation = static_cast<Interpolation>(below(2)),
                    .coordinates = static_cast<Coordinates>(below(3)),
                    .rounding = static_cast<Rounding>(below(4))};
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
