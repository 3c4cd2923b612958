// opsched_onnx_export FOLDER: writes graphs as FOLDER/NAME.onnx, and inputs and outputs of the reference beside them
// (NAME.in, NAME.out: float32, one value after another). export.py holds them to ONNX's own numbers.
#include <iostream>

#include "core/files.hpp"
#include "core/graph/onnx/onnx_export.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "networks/network.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

/// Every layer, activation and way to read that a graph has.
Graph every_layer() {
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
  const Value low{x, 0, 4}, high{x, 4, 8};
  g.add("sum of slices", {{low, high, low}, {high}}, {});
  g.add("product", {g.all(x), g.all(gate)}, {Conv2d{.out_channels = 2}, Activate{A(A::relu)}}, Combine::product);
  g.add("alias", {g.all(x)}, {});
  const OpId shared = g.add("shared", {g.all(x), g.all(x)}, {Activate{A(A::tanh)}, Pool2d{.kernel = {2, 2}}});
  g.add("reads shared", {{{shared, 3, 9}}}, {Conv2d{.out_channels = 2}});
  g.end_block("all");
  std::vector<std::string> names = g.output_names();
  names.back() = "shared";  // as an ONNX model may call it
  g.set_output_names(names);
  return g;
}

void export_graph(const std::string& base, const Graph& graph) {
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, 3 + inputs.size()));
  const auto write = [](const std::string& file, const std::vector<Tensor>& tensors) {
    std::string bytes;
    for (const Tensor& t : tensors)
      bytes.append(reinterpret_cast<const char*>(t.data.data()), t.data.size() * sizeof(float));
    write_file_atomically(file, bytes);
  };
  write_file_atomically(base + ".onnx",
                        export_onnx(graph, [&](OpId op, int layer) { return make_weights(graph, op, layer, 1); }));
  write(base + ".in", inputs);
  write(base + ".out", reference_outputs(graph, inputs, 1));
}

void export_all(const std::string& folder) {
  constexpr std::uint64_t kRandom = 20;
  export_graph(folder + "/every_layer", every_layer());
  Graph dilated("dilated average");
  const OpId x = dilated.add_input("x", {4, 9, 9});
  dilated.add("y", {dilated.all(x)}, {Pool2d{.type = PoolType::avg, .kernel = {3, 2}, .dilation = {2, 3}}});
  dilated.end_block("all");
  export_graph(folder + "/dilated_average", dilated);
  for (std::uint64_t seed = 1; seed <= kRandom; ++seed)
    export_graph(folder + "/random" + std::to_string(seed), test::RandomCnn(seed).draw(4));
  export_graph(folder + "/squeezenet", make_network("squeezenet", {.batch = 1, .image = {64, 80}}));
}

}  // namespace
}  // namespace opsched

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: opsched_onnx_export FOLDER\n";
    return 2;
  }
  opsched::export_all(argv[1]);
}
