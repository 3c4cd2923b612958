// opsched_onnx_check FOLDER: runs every FOLDER/NAME.onnx on the input NAME.in under every scheduler and
// compares with the outputs NAME.out (float32, one value after another). A model named NAME.maybe.onnx may be
// refused. Prints what differs; ends with 1 if anything does. differential.py makes such folders.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "schedulers/scheduler.hpp"
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

}  // namespace
}  // namespace opsched

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: opsched_onnx_check FOLDER\n";
    return 2;
  }
  return opsched::check_all(argv[1]);
}
