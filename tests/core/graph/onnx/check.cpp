// opsched_onnx_check --export FOLDER: writes graphs as FOLDER/NAME.onnx, inputs and outputs of the reference beside
// them, for export.py. opsched_onnx_check FOLDER: runs every FOLDER/NAME.onnx on the input NAME.in under every
// scheduler and compares with the outputs NAME.out (float32, one value after another). A model named NAME.maybe.onnx
// may be refused. Prints what differs; ends with 1 if anything does. differential.py makes such folders.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/onnx/onnx_export.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

std::vector<float> floats_of(const std::string& path) {
  const std::string bytes = read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::vector<Tensor> inputs_of(const Graph& graph, const std::vector<float>& values) {
  std::vector<Tensor> inputs;
  auto at = values.begin();
  for (OpId id : graph.inputs()) {
    const Shape shape = graph.op(id).output;
    const std::int64_t size = graph.batch() * shape.size();
    if (values.end() - at < size) throw Error("the inputs are shorter than the model's");
    inputs.push_back({graph.batch(), shape, {at, at + size}});
    at += size;
  }
  if (at != values.end()) throw Error("the inputs are longer than the model's");
  return inputs;
}

/// Throws Error unless all outputs are the expected ones. Errors are measured against the largest value.
void compare(const std::vector<Tensor>& outputs, const std::vector<float>& expected) {
  std::size_t at = 0;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const std::vector<float>& got = outputs[o].data;
    if (expected.size() - at < got.size()) throw Error("more outputs than the model has");
    float largest = 1e-3f, error = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      largest = std::max(largest, std::abs(expected[at + i]));
      const float difference = std::abs(got[i] - expected[at + i]);
      error = difference <= error ? error : difference;  // keeps a NaN
    }
    if (!(error <= 1e-4f * largest))
      throw Error("output " + std::to_string(o) + " is wrong by " + std::to_string(error) + " of " +
                  std::to_string(largest));
    at += got.size();
  }
  if (at != expected.size()) throw Error("fewer outputs than the model has");
}

/// Number of runs; 0 if the model was refused.
int check(const std::filesystem::path& path) {
  const std::filesystem::path base = path.parent_path() / path.stem();
  std::optional<Graph> graph;
  try {
    graph = load_graph(path);
  } catch (const Error&) {
    if (base.extension() != ".maybe") throw;
    return 0;
  }
  const std::vector<Tensor> inputs = inputs_of(*graph, floats_of(base.string() + ".in"));
  const std::vector<float> expected = floats_of(base.string() + ".out");
  compare(reference_outputs(*graph, inputs, 1), expected);
  test::TestCost cost(*graph);
  int runs = 1;
  for (const SchedulerInfo& info : schedulers()) {
    if (info.max_operators > 0 && static_cast<int>(graph->units().size()) > info.max_operators) continue;
    try {
      const Schedule schedule = make_schedule(info.name, {.cost = cost, .devices = 1, .options = {}, .progress = {}});
      compare(make_cpu_executor(*graph, schedule, 1)->run(inputs), expected);
      ++runs;
    } catch (const Error& e) {
      throw Error("scheduler " + std::string(info.name) + ": " + e.what());
    }
  }
  return runs;
}

int check_all(const std::string& folder) {
  std::vector<std::filesystem::path> models;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  std::ranges::sort(models);
  int failed = 0, refused = 0, runs = 0;
  for (const auto& model : models) {
    try {
      const int these = check(model);
      refused += these == 0;
      runs += these;
    } catch (const std::exception& e) {
      ++failed;
      std::cout << model.filename().string() << ": " << e.what() << "\n";
    }
  }
  std::cout << models.size() << " models, " << runs << " runs, " << refused << " refused, " << failed << " wrong\n";
  return failed > 0 || models.empty() ? 1 : 0;
}

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

int export_all(const std::string& folder) {
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
  return 0;
}

}  // namespace
}  // namespace opsched

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--export") return opsched::export_all(argv[2]);
  if (argc != 2) {
    std::cerr << "usage: opsched_onnx_check [--export] FOLDER\n";
    return 2;
  }
  return opsched::check_all(argv[1]);
}
