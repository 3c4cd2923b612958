// opsched_onnx_export FOLDER: writes graphs as FOLDER/NAME.onnx, with inputs and reference outputs next to them
// (NAME.in, NAME.out: float32, one value after another). export.py compares them with ONNX's own results.
#include <iostream>

#include "core/files.hpp"
#include "core/graph/onnx/onnx_export.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "networks/network.hpp"
#include "tests/support/every_layer.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

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
  export_graph(folder + "/every_layer", test::every_layer());
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
