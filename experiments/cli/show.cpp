// opsched show: prints a graph, or writes it to a file.
#include "core/files.hpp"
#include "core/graph/describe.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/onnx/onnx_export.hpp"
#include "core/runtime/tensor.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

struct ShowOptions {
  GraphOptions graph;
  std::string format = "text", output;
  bool operators = false;
  std::uint64_t weight_seed = 1;

  void add_to(CLI::App& app) {
    graph.add_to(app);
    app.add_option("--format", format, "text, json (ours), ios (IOS's), dot (Graphviz) or onnx (with weights)")
        ->check(CLI::IsMember({"text", "json", "ios", "dot", "onnx"}));
    app.add_option("--weight-seed", weight_seed, "With --format onnx: seed of the weights, if the graph has none");
    app.add_flag("--operators", operators, "With --format text: also list the operators");
    app.add_option("-o,--output", output, "Write to this file instead of standard output");
  }
};

std::string render(const Graph& graph, const ShowOptions& options) {
  if (options.format == "json") return graph_to_json(graph);
  if (options.format == "ios") return graph_to_ios_json(graph);
  if (options.format == "dot") return graph_to_dot(graph);
  if (options.format == "onnx")
    return export_onnx(graph, [&](OpId op, int layer) { return make_weights(graph, op, layer, options.weight_seed); });
  return describe(graph, options.operators);
}

void show(const ShowOptions& options) {
  const std::string text = render(options.graph.load(), options);
  if (options.output.empty())
    std::cout << text;
  else
    write_file_atomically(options.output, text);
}

}  // namespace

Command show_command() {
  return {.name = "show",
          .summary = "Show a graph's blocks and operators, or write it to a file",
          .examples =
              "  opsched show nasnet                                    blocks, operators, multiply-accumulates\n"
              "  opsched show squeezenet --operators                    every operator\n"
              "  opsched show randwire --seed 7 --format json -o g.json a file for --graph\n"
              "  opsched show --graph g.json --format dot | dot -Tsvg   a picture, with Graphviz\n"
              "  opsched show inception_v3 --format ios                 the format of the public IOS code\n"
              "  opsched show nasnet --image 224 --format onnx -o nasnet.onnx   for other runtimes, with the\n"
              "                                                         weights that opsched infer uses",
          .setup = setup_of(show)};
}

}  // namespace opsched::cli
