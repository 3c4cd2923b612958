// opsched infer: computes the outputs of a graph.
#include <algorithm>
#include <cstring>
#include <map>

#include "core/files.hpp"
#include "core/names.hpp"
#include "core/npy.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched::cli {
namespace {

struct InferOptions {
  GraphOptions graph;
  ScheduleChoice schedule;
  RunOptions run;
  std::string weights;
  std::vector<std::string> inputs, outputs;
  std::uint64_t weight_seed = 1, input_seed = 2;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    app.add_option("--input", inputs,
                   "float32 values of an input, batch x channels x height x width: NAME=FILE, or one FILE per input in "
                   "their order; .npy, or raw without a header (default: random values)")
        ->expected(1)
        ->take_all();
    app.add_option("-o,--output", outputs,
                   "File for the float32 values of an output: NAME=FILE, or one FILE for all outputs in sequence; "
                   ".npy, or raw without a header")
        ->expected(1)
        ->take_all();
    app.add_option("--save-weights", weights,
                   "File for the float32 weights: for each convolution, in the order of operators, its weights by "
                   "output channel and then its bias");
    app.add_option("--weight-seed", weight_seed, "Seed of the weights, if the graph has none");
    app.add_option("--input-seed", input_seed, "Seed of the random inputs");
    run.add_to(app);
    run.device.kind = "cpu";
    app.get_option("--device")->description("cpu (fp32) or gpu")->check(CLI::IsMember({"cpu", "gpu"}));
    app.add_option("--schedule", schedule.file,
                   "A schedule for the graph (opsched optimize -o); default: operators run sequentially");
  }
};

/// Inputs given as NAME=FILE by name, those given as FILE by position.
std::map<std::size_t, std::string> files_of(const std::string& option, const std::vector<std::string>& given,
                                            const std::vector<std::string>& names) {
  std::map<std::size_t, std::string> files;
  std::size_t position = 0;
  for (const std::string& text : given) {
    const std::size_t equals = text.find('=');
    const bool named = equals != std::string::npos;
    const auto at = std::ranges::find(names, text.substr(0, named ? equals : 0));
    if (named && at == names.end())
      throw Error(option + " '" + text + "': no '" + text.substr(0, equals) + "'; the graph has: " + joined(names));
    const std::size_t index = named ? static_cast<std::size_t>(at - names.begin()) : position++;
    if (index >= names.size()) throw Error(option + " '" + text + "': the graph has only " + joined(names));
    if (!files.emplace(index, named ? text.substr(equals + 1) : text).second)
      throw Error(option + " '" + text + "': '" + names[index] + "' is given twice");
  }
  return files;
}

Tensor load_tensor(const std::string& path, int batch, const Operator& input) {
  Tensor tensor{batch, input.output, std::vector<float>(batch * input.output.size())};
  const Shape& s = input.output;
  const std::string needed = "float32 of " + std::to_string(batch) + "x" + to_string(s);
  const std::string where = "--input '" + path + "': input '" + input.name + "' needs " + needed;
  if (path.ends_with(".npy")) {
    NpyArray array = read_npy(path);
    const std::vector<std::int64_t> shape = {batch, s.c, s.h, s.w};
    const auto text = [](std::int64_t axis) { return std::to_string(axis); };
    if (array.shape != shape) throw Error(where + ", and the array is " + joined(array.shape, text, "x"));
    tensor.data = std::move(array.data);
    return tensor;
  }
  const MappedFile file(path);
  const std::size_t bytes = tensor.data.size() * sizeof(float);
  if (file.bytes().size() != bytes)
    throw Error(where + ", " + std::to_string(bytes) + " bytes, but the file has " +
                std::to_string(file.bytes().size()));
  std::memcpy(tensor.data.data(), file.bytes().data(), bytes);
  return tensor;
}

void append(std::string& bytes, const std::vector<float>& values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

/// Weights, then bias, of every convolution, ordered by operator and layer.
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

std::vector<Tensor> inputs_of(const InferOptions& options, const Graph& graph) {
  const std::vector<OpId> ids = graph.inputs();
  const auto name = [&](OpId id) { return graph.op(id).name; };
  std::vector<std::string> names;
  std::ranges::transform(ids, std::back_inserter(names), name);
  const std::map<std::size_t, std::string> files = files_of("--input", options.inputs, names);
  if (!files.empty() && files.size() != ids.size())
    throw Error("--input: given for " + std::to_string(files.size()) +
                " of the inputs of the graph; give all or none: " + joined(names));
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < ids.size(); ++i)
    inputs.push_back(files.empty() ? random_tensor(graph.batch(), graph.op(ids[i]).output, options.input_seed + i)
                                   : load_tensor(files.at(i), graph.batch(), graph.op(ids[i])));
  return inputs;
}

std::vector<Tensor> compute(const InferOptions& options, const Graph& graph, const std::vector<Tensor>& inputs) {
  const bool given = !options.schedule.file.empty();
  const Precision precision = parse_precision(options.run.precision);
  if (options.run.device.kind == "cpu") {
    if (precision != Precision::fp32)
      throw Error("--precision " + options.run.precision + ": the CPU computes in fp32 only; add --device gpu");
    if (!given) return reference_outputs(graph, inputs, options.weight_seed);
    return make_cpu_executor(graph, options.schedule.request(graph).loaded, options.weight_seed)->run(inputs);
  }
  ScheduleChoice choice = options.schedule;
  if (!given) choice.scheduler.name = "sequential";
  const ScheduleChoice::Request request = choice.request(graph);
  StatusLine status;
  // Nothing is timed, so profiles measured with other kernels are no problem.
  const ScratchFolder nothing_measured("infer");
  DeviceOptions device = options.run.device_options(request.gpus, status);
  if (device.profile.empty()) device.profile = nothing_measured.path();
  const GraphOnDevice on(graph, options.run, device);
  const Schedule schedule = choice.find(*on.costs, request, {});
  return on.device->executor(*on.costs, schedule, precision, options.weight_seed)->run(inputs);
}

void write_outputs(const std::map<std::size_t, std::string>& files, const std::vector<Tensor>& outputs, bool all) {
  for (const auto& [index, file] : files) {
    std::string bytes;
    const Tensor& t = outputs[index];
    if (file.ends_with(".npy"))
      bytes = npy_bytes(std::vector<std::int64_t>{t.n, t.shape.c, t.shape.h, t.shape.w}, t.data);
    else
      for (const Tensor& each : all ? outputs : std::vector{t}) append(bytes, each.data);
    write_file_atomically(file, bytes);
  }
}

void infer(const InferOptions& options) {
  const Graph graph = options.graph.load();
  const std::vector<std::string> names = graph.output_names();
  const bool all = options.outputs.size() == 1 && options.outputs.front().find('=') == std::string::npos;
  const std::map<std::size_t, std::string> files = files_of("--output", options.outputs, names);
  if (all && names.size() > 1 && files.begin()->second.ends_with(".npy"))
    throw Error("--output '" + files.begin()->second + "': a .npy file holds one output; use NAME=FILE for each of " +
                joined(names));
  const std::vector<Tensor> inputs = inputs_of(options, graph);
  if (!options.weights.empty()) write_file_atomically(options.weights, weight_bytes(graph, options.weight_seed));
  const std::vector<Tensor> outputs = compute(options, graph, inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<float>& data = outputs[i].data;
    const auto [least, most] = std::ranges::minmax(data);
    double sum = 0;
    for (float v : data) sum += v;
    std::cout << names[i] << "  " << outputs[i].n << 'x' << to_string(outputs[i].shape) << "  mean "
              << sum / static_cast<double>(data.size()) << "  from " << least << " to " << most << '\n';
  }
  write_outputs(files, outputs, all);
}

}  // namespace

Command infer_command() {
  return {.name = "infer",
          .summary = "Run inference on the CPU or a GPU",
          .examples =
              "  opsched infer --graph model.onnx --input image.npy -o scores.npy      on the CPU, in fp32\n"
              "  opsched infer --graph model.onnx --input image.npy -o scores.npy --device gpu --precision fp16 \\\n"
              "      --schedule best.json                          the schedule found by opsched optimize\n"
              "  opsched infer --graph two.onnx --input x=a.npy --input y=b.npy -o scores=s.npy -o boxes=b.npy\n"
              "  opsched infer squeezenet --batch 2                random weights and input\n"
              "  opsched infer squeezenet --save-weights w.bin -o y.bin  for another framework to compute the same\n"
              "Files that do not end in .npy contain only the values, little-endian. To use a model in your own\n"
              "program, see docs/serving.md.",
          .setup = setup_of(infer)};
}

}  // namespace opsched::cli
