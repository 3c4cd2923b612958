// A graph with every layer, every activation, and every way to read values.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched::test {

inline Graph every_layer() {
  Graph g("every layer", 2);
  const OpId x = g.add_input("x", {8, 17, 13}), gate = g.add_input("a gate", {8, 1, 1});
  const Conv2d strided{.out_channels = 8, .kernel = {3, 5}, .stride = {2, 1}, .padding = {1, 0}, .groups = 2};
  int number = 0;
  const auto layer = [&](const Layer& what) { g.add("l" + std::to_string(number++), {g.all(x)}, {what}); };
  using A = Activation;
  for (const A& act :
       {A(A::relu), A(A::tanh), A(A::sigmoid), A(A::leaky_relu, 0.1f), A(A::elu, 0.7f), A(A::clip, -1, 2),
        A(A::hard_sigmoid, 0.2f, 0.4f), A(A::hard_swish), A(A::silu), A(A::gelu), A(A::softplus)}) {
    layer(Activate{act});
    Conv2d conv = strided;
    conv.act = act;
    layer(conv);
  }
  layer(Conv2d{.out_channels = 3, .kernel = {3, 2}, .padding = {2, 1}, .dilation = {2, 3}, .more_padding = {-1, 2}});
  layer(Conv2d{.out_channels = 16, .kernel = {3, 3}, .padding = {1, 1}, .groups = 8});
  for (const PoolType type : {PoolType::max, PoolType::avg})
    for (const bool ceil : {false, true})
      layer(Pool2d{
          .type = type, .kernel = {3, 4}, .stride = {2, 3}, .padding = {1, 2}, .count_padding = false, .ceil = ceil});
  layer(Pool2d{.kernel = {2, 3}, .stride = {2, 2}, .padding = {0, 1}, .dilation = {2, 1}, .more_padding = {1, 0}});
  layer(Pool2d{.type = PoolType::avg, .kernel = {3, 3}, .padding = {1, 1}, .more_padding = {1, 0}});
  layer(Pool2d{.type = PoolType::global_avg});
  for (const Coordinates c : {Coordinates::half_pixel, Coordinates::asymmetric, Coordinates::align_corners}) {
    layer(Resize2d{.size = {34, 20}, .interpolation = Interpolation::linear, .coordinates = c});
    for (const Rounding r : {Rounding::floor, Rounding::ceil, Rounding::half_down, Rounding::half_up})
      layer(Resize2d{.size = {25, 26}, .coordinates = c, .rounding = r});
  }
  layer(Resize2d{.size = {25, 13}, .interpolation = Interpolation::linear, .scale = {1.5, 0}});
  for (const bool phase_first : {true, false}) {
    layer(DepthToSpace{.block = {2, 2}, .phase_first = phase_first});
    layer(DepthToSpace{.block = {4, 2}, .phase_first = phase_first, .crop = {1, 0}, .crop_end = {2, 1}});
  }
  layer(PixelRow{.begin = 5, .width = 17 * 13 + 9});
  layer(Softmax{.size = 8});
  layer(Softmax{.size = 2, .inner = 2});
  for (const int groups : {1, 2, 8}) {
    layer(Normalize{.groups = groups, .epsilon = 1e-3f});
    if (groups < 8) layer(Normalize{.groups = groups, .per_pixel = true});
  }
  const Value low{x, 0, 4}, high{x, 4, 8};
  g.add("sum of slices", {{low, high, low}, {high}}, {});
  g.add("product", {g.all(x), g.all(gate)}, {Conv2d{.out_channels = 2}, Activate{A(A::relu)}}, Combine::product);
  g.add("alias", {g.all(x)}, {});
  const OpId shared = g.add("shared", {g.all(x), g.all(x)}, {Activate{A(A::tanh)}, Pool2d{.kernel = {2, 2}}});
  g.add("reads shared", {{{shared, 3, 9}}}, {Conv2d{.out_channels = 2}});
  g.end_block("all");
  std::vector<std::string> names = g.output_names();
  names.back() = "shared";  // an ONNX model may use such a name
  g.set_output_names(names);
  return g;
}

}  // namespace opsched::test
