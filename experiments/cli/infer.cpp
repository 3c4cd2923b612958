// opsched infer: the numbers that a graph computes, on the CPU.
#include <bit>
#include <cstring>

#include "core/files.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

struct InferOptions {
  GraphOptions graph;
  std::string output, weights;
  std::vector<std::string> inputs;
  std::uint64_t weight_seed = 1, input_seed = 2;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    app.add_option("--input", inputs,
                   "float32 values of an input, batch x channels x height x width, without a header; once for "
                   "each input of the graph; none: random values")
        ->expected(1)
        ->take_all();
    app.add_option("-o,--output", output, "Where the outputs' float32 values go, one after another");
    app.add_option("--save-weights", weights,
                   "Where the float32 weights go: each convolution's, output channel by output channel, and "
                   "then its bias, in the order of operators");
    app.add_option("--weight-seed", weight_seed, "Of the weights, where the graph brings none");
    app.add_option("--input-seed", input_seed, "Of the random inputs");
  }
};

Tensor load_tensor(const std::string& path, int batch, const Operator& input) {
  Tensor tensor{batch, input.output, std::vector<float>(batch * input.output.size())};
  const std::string bytes = read_file(path, std::int64_t{4} << 30);
  const std::size_t needed = tensor.data.size() * sizeof(float);
  if (bytes.size() != needed)
    throw Error("--input '" + path + "': has " + std::to_string(bytes.size()) + " bytes, but input '" + input.name +
                "' needs " + std::to_string(needed) + ": float32 of " + std::to_string(batch) + "x" +
                to_string(input.output));
  std::memcpy(tensor.data.data(), bytes.data(), needed);
  return tensor;
}

void append(std::string& bytes, const std::vector<float>& values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

/// Weights, then bias, of every convolution in the order of operators and layers.
std::string weight_bytes(const Graph& graph, std::uint64_t seed) {
  std::string bytes;
  for (OpId id : graph.units())
    for (int layer = 0; layer < static_cast<int>(graph.op(id).layers.size()); ++layer) {
      if (!std::holds_alternative<Conv2d>(graph.op(id).layers[layer])) continue;
      const ConvWeights weights = make_weights(graph, id, layer, seed);
      append(bytes, weights.weight);
      append(bytes, weights.bias);
    }
  return bytes;
}

void infer(const InferOptions& options) {
  const Graph graph = options.graph.load();
  if (!options.weights.empty()) write_file_atomically(options.weights, weight_bytes(graph, options.weight_seed));
  const std::vector<OpId> ids = graph.inputs();
  if (!options.inputs.empty() && options.inputs.size() != ids.size())
    throw Error("--input: given " + std::to_string(options.inputs.size()) + " times, but the graph has " +
                std::to_string(ids.size()) + " inputs");
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < ids.size(); ++i)
    inputs.push_back(options.inputs.empty()
                         ? random_tensor(graph.batch(), graph.op(ids[i]).output, options.input_seed + i)
                         : load_tensor(options.inputs[i], graph.batch(), graph.op(ids[i])));
  const std::vector<Tensor> outputs = reference_outputs(graph, inputs, options.weight_seed);
  std::string bytes;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<float>& data = outputs[i].data;
    double sum = 0;
    float least = data.front(), most = data.front();
    for (float v : data) {
      sum += v;
      least = std::min(least, v);
      most = std::max(most, v);
    }
    std::cout << graph.op(graph.outputs()[i]).name << "  " << outputs[i].n << 'x' << to_string(outputs[i].shape)
              << "  mean " << sum / static_cast<double>(data.size()) << "  from " << least << " to " << most << '\n';
    append(bytes, data);
  }
  if (!options.output.empty()) write_file_atomically(options.output, bytes);
}

}  // namespace

Command infer_command() {
  return {.name = "infer",
          .summary = "Compute a graph's outputs on the CPU, one operator after another",
          .examples =
              "  opsched infer --graph model.onnx --input image.bin --output scores.bin\n"
              "  opsched infer squeezenet --batch 2                    random weights and input\n"
              "  opsched infer squeezenet --save-weights w.bin -o y.bin  for another framework to compute the same",
          .setup = setup_of(infer)};
}

}  // namespace opsched::cli
