// opsched_onnx_check [options] PATH...: runs ONNX models on the CPU, by the reference and under schedulers, and
// compares each output with what is expected of it. A PATH is a model NAME.onnx, or a folder of them; beside it NAME.in
// and NAME.out have its inputs and outputs (float32, one value after another). A model named NAME.maybe.onnx may be
// refused. Prints what differs; ends with 1 if anything does. differential.py and compare.py make such files.
//
//   --schedulers A,B   only these (default: all)
//   --limit X          the largest error of an output, relative to its largest value (default 1e-4)
//   --batch N, --image HxW   for what a model leaves open
//   --table            prints a line for each output, with tabs: model, operators, output, largest value, error, under
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

struct Options {
  std::vector<std::string> schedulers;
  float limit = 1e-4f;
  InputSize size;
  bool table = false;
  std::vector<std::filesystem::path> paths;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) parts.push_back(part);
  return parts;
}

ImageSize image_of(const std::string& text) {
  const std::vector<std::string> sides = split(text, 'x');
  return {std::stoi(sides.at(0)), std::stoi(sides.back())};
}

Options options_of(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto next = [&] {
      if (++i == words.size()) throw Error(word + " needs a value");
      return words[i];
    };
    if (word == "--schedulers") {
      options.schedulers = split(next(), ',');
    } else if (word == "--limit") {
      options.limit = std::stof(next());
    } else if (word == "--batch") {
      options.size.batch = std::stoi(next());
    } else if (word == "--image") {
      options.size.image = image_of(next());
    } else if (word == "--table") {
      options.table = true;
    } else if (word.starts_with("--")) {
      throw Error("unknown option " + word + "; known: --schedulers, --limit, --batch, --image, --table");
    } else {
      options.paths.push_back(word);
    }
  }
  if (options.paths.empty()) throw Error("name a model or a folder of models");
  for (const std::string& name : options.schedulers) find_scheduler(name);
  return options;
}

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

/// The worst values seen for an output.
struct Difference {
  float largest = 1e-6f, error = 0;  ///< of the expected values; of all that were computed
  std::string under = "reference";
};

/// Runs one model and compares the outputs with the expected ones.
class Comparison {
 public:
  Comparison(std::vector<float> expected, std::vector<std::string> names, float limit)
      : expected_(std::move(expected)), names_(std::move(names)), limit_(limit), worst_(names_.size()) {}

  /// Throws Error naming the outputs that are wrong.
  void add(const std::vector<Tensor>& outputs, const std::string& under) {
    std::size_t at = 0;
    std::string wrong;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const std::vector<float>& got = outputs[o].data;
      if (expected_.size() - at < got.size()) throw Error("more outputs than the model has");
      const Difference now = difference(got, &expected_[at], under);
      if (!(now.error <= limit_ * now.largest))
        wrong += (wrong.empty() ? "" : ", ") + std::string("output '") + names_[o] + "' is wrong by " +
                 std::to_string(now.error) + " of " + std::to_string(now.largest);
      if (!(now.error <= worst_[o].error) || runs_ == 0) worst_[o] = now;
      at += got.size();
    }
    if (at != expected_.size()) throw Error("fewer outputs than the model has");
    if (!wrong.empty()) throw Error("under " + under + " " + wrong);
    ++runs_;
  }

  int runs() const { return runs_; }
  void print(std::ostream& out, const std::string& model) const {
    for (std::size_t o = 0; o < names_.size(); ++o)
      out << model << "\t" << names_[o] << "\t" << worst_[o].largest << "\t" << worst_[o].error / worst_[o].largest
          << "\t" << worst_[o].under << "\n";
  }

 private:
  static Difference difference(const std::vector<float>& got, const float* expected, const std::string& under) {
    Difference d{.under = under};
    for (std::size_t i = 0; i < got.size(); ++i) {
      d.largest = std::max(d.largest, std::abs(expected[i]));
      const float here = std::abs(got[i] - expected[i]);
      d.error = here <= d.error ? d.error : here;  // stays NaN
    }
    return d;
  }

  std::vector<float> expected_;
  std::vector<std::string> names_;
  float limit_;
  std::vector<Difference> worst_;
  int runs_ = 0;
};

bool takes_part(const SchedulerInfo& info, const Options& options, int operators) {
  if (!options.schedulers.empty() && std::ranges::find(options.schedulers, info.name) == options.schedulers.end())
    return false;
  return info.max_operators == 0 || operators <= info.max_operators;
}

/// Number of runs; 0 if the model was refused.
int check(const std::filesystem::path& path, const Options& options) {
  const std::filesystem::path base = path.parent_path() / path.stem();
  std::optional<Graph> graph;
  try {
    graph = load_graph(path, options.size);
  } catch (const Error& e) {
    if (base.extension() != ".maybe") throw Error(std::string("refused: ") + e.what());
    return 0;
  }
  const std::vector<Tensor> inputs = inputs_of(*graph, floats_of(base.string() + ".in"));
  Comparison comparison(floats_of(base.string() + ".out"), graph->output_names(), options.limit);
  comparison.add(reference_outputs(*graph, inputs, 1), "reference");
  test::TestCost cost(*graph);
  const int operators = static_cast<int>(graph->units().size());
  for (const SchedulerInfo& info : schedulers()) {
    if (!takes_part(info, options, operators)) continue;
    try {
      const Schedule schedule = make_schedule(info.name, {.cost = cost, .devices = 1, .options = {}, .progress = {}});
      comparison.add(make_cpu_executor(*graph, schedule, 1)->run(inputs), info.name);
    } catch (const Error& e) {
      throw Error("scheduler " + info.name + ": " + e.what());
    }
  }
  if (options.table) comparison.print(std::cout, base.filename().string() + "\t" + std::to_string(operators));
  return comparison.runs();
}

std::vector<std::filesystem::path> models_of(const Options& options) {
  std::vector<std::filesystem::path> models;
  for (const auto& path : options.paths) {
    if (!std::filesystem::is_directory(path)) {
      models.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  std::ranges::sort(models);
  return models;
}

int check_all(const Options& options) {
  const std::vector<std::filesystem::path> models = models_of(options);
  int failed = 0, refused = 0, runs = 0;
  for (const auto& model : models) {
    try {
      const int these = check(model, options);
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
  try {
    return opsched::check_all(opsched::options_of({argv + 1, argv + argc}));
  } catch (const std::exception& e) {
    std::cerr << "opsched_onnx_check: " << e.what() << "\n";
    return 2;
  }
}
