// Random graphs in which many ReLUs can be moved to where a tensor is written.
#pragma once

#include <algorithm>
#include <random>
#include <string>

#include "core/graph/graph.hpp"

namespace opsched::test {

/// Cells as in NasNet: convolutions, most of which begin with a ReLU, and sums and joins of them.
class RandomCells {
 public:
  explicit RandomCells(std::uint64_t seed) : random_(seed) {}

  Graph draw(int units) {
    Graph graph("cells", 1 + below(2));
    graph.add_input("input", {kChannels, 5, 5});
    for (int i = 0; i < units; ++i) add_unit(graph, "unit" + std::to_string(i));
    graph.end_block("all");
    return graph;
  }

 private:
  static constexpr int kChannels = 4;

  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }

  void add_unit(Graph& graph, const std::string& name) {
    std::vector<Term> terms;
    const int width = 1 + below(2), count = 1 + below(3);
    for (int t = 0; t < count; ++t) {
      Term term;
      for (int v = 0; v < width + (below(9) == 0 ? 1 : 0); ++v) {
        const OpId id = below(3) == 0 ? below(graph.size()) : graph.size() - 1 - below(std::min(3, graph.size()));
        const int begin = below(graph.op(id).output.c - 1);
        term.push_back({id, begin, begin + 2});
      }
      terms.push_back(term);
    }
    std::vector<Layer> layers;
    if (width == 1 || below(3) == 0) {
      if (below(8) > 0) layers.push_back(Activate{});
      if (below(2) == 0) {
        const int channels = 2 * count;
        layers.push_back(Conv2d{.out_channels = channels, .kernel = {3, 3}, .padding = {1, 1}, .groups = channels});
      }
      layers.push_back(Conv2d{.out_channels = kChannels});
    }
    graph.add(name, terms, layers);
  }

  std::mt19937_64 random_;
};

}  // namespace opsched::test
