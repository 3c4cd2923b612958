// A network whose convolutions read through affine layers, as in DenseNet.
#pragma once

#include <string>

#include "core/graph/graph.hpp"

namespace opsched::test {

/// Each layer reads all previous ones through an affine layer, usually with a ReLU: a 1x1, then a 3x3 convolution with
/// `growth` channels. At the end, a 1x1 convolution of stride 2 that reads a sum halves the image.
inline Graph dense_block(int channels, int growth, int layers, int batch) {
  Graph graph("dense block", batch);
  std::vector<Term> all{graph.all(graph.add_input("in", {channels, 9, 7}))};
  const auto affine = [](int width, Activation act) {
    return Conv2d{.out_channels = width, .groups = width, .act = act};
  };
  int width = channels;
  for (int i = 0; i < layers; ++i, width += growth) {
    const std::string name = std::to_string(i);
    const Activation act = i % 3 == 2 ? Activation::none : Activation::relu;
    const OpId join = graph.add("join" + name, all, {});
    const OpId narrow = graph.add("narrow" + name, {graph.all(join)},
                                  {affine(width, act), Conv2d{.out_channels = 2 * growth, .act = Activation::relu}});
    all.push_back(graph.all(graph.add("wide" + name, {graph.all(narrow)},
                                      {Conv2d{.out_channels = growth, .kernel = {3, 3}, .padding = {1, 1}}})));
  }
  const OpId join = graph.add("join", all, {}), beside = graph.add("beside", all, {Activate{}});
  graph.add("end", {{graph.all(join).front(), graph.all(beside).front()}},
            {affine(width, Activation::relu), Conv2d{.out_channels = growth, .stride = {2, 2}}});
  graph.end_block("all");
  return graph;
}

}  // namespace opsched::test
