// opsched growth: time and memory of the IOS search as the graph grows.
#include <iostream>
#include <memory>

#include "core/files.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/studies/search_growth.hpp"
#include "networks/network.hpp"
#include "schedulers/options.hpp"

namespace opsched::cli {
namespace {

struct Options {
  std::vector<std::string> networks;
  std::string edge_lists;
  std::vector<int> nodes = {16, 24, 32, 40, 48, 56, 64};
  std::string enumeration = "single-source", group_size = "3", groups = "8", output;
  std::uint64_t seed = 1;
};

/// What was asked for, so that a table says how to make it again.
std::string command_of(const Options& options) {
  std::string command = "opsched growth";
  for (const std::string& network : options.networks) command += " " + network;
  if (!options.edge_lists.empty()) command += " --edge-lists " + options.edge_lists;
  if (options.networks.empty()) command += " --nodes";
  for (int nodes : options.networks.empty() ? options.nodes : std::vector<int>{})
    command += " " + std::to_string(nodes);
  return command + " --enumeration " + options.enumeration + " --group-size " + options.group_size + " --groups " +
         options.groups + " --seed " + std::to_string(options.seed);
}

void growth(const Options& options) {
  const SchedulerOptions texts = {{"--group-size", options.group_size}, {"--groups", options.groups}};
  const OptionReader reader(texts);
  IosOptions space;
  space.group_size = reader.limit("--group-size", 3, 1);
  space.groups = reader.limit("--groups", 8, 1);
  space.enumeration = parse_enumeration(options.enumeration);
  space.poll = check_interrupt;
  std::vector<Graph> graphs;
  for (const std::string& network : options.networks)
    graphs.push_back(make_network(network, {.seed = options.seed, .edge_lists = options.edge_lists}));
  if (graphs.empty())
    for (int nodes : options.nodes) graphs.push_back(random_stage(nodes, options.seed));
  std::vector<GrowthRow> rows;
  for (const Graph& graph : graphs) {
    rows.push_back(search_growth(graph, space, options.seed));
    const GrowthRow& row = rows.back();
    std::cerr << row.graph << ": " << row.states << " states" << (row.gave_up.empty() ? "" : "; " + row.gave_up)
              << "\n";
  }
  const std::string text = to_markdown(rows, command_of(options));
  if (options.output.empty())
    std::cout << text;
  else
    write_file_atomically(options.output, text);
}

}  // namespace

Command growth_command() {
  return {
      .name = "growth",
      .summary = "Time and memory of the IOS search alone, on random stages of growing size",
      .examples =
          "  opsched growth                                       RandWire's stages, 16 to 64 nodes\n"
          "  opsched growth --nodes 16 32 --group-size unlimited  no pruning\n"
          "  opsched growth nasnet inception_v3                   on networks, costs made up\n"
          "  opsched growth -o results/search/growth.md           the table of the results",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<Options>();
        app.add_option("NETWORK", options->networks, "Networks by name instead; several may be given");
        app.add_option("--edge-lists", options->edge_lists, "RandWire: a folder of edge lists to load");
        app.add_option("--nodes", options->nodes, "Sizes of the stages")
            ->check(CLI::Range(5, 10'000))
            ->capture_default_str();
        app.add_option("--enumeration", options->enumeration, "single-source or components")->capture_default_str();
        app.add_option("--group-size", options->group_size, "Most operators in a group (r), or unlimited")
            ->capture_default_str();
        app.add_option("--groups", options->groups, "Most groups in a stage (s), or unlimited")->capture_default_str();
        app.add_option("--seed", options->seed, "Of the wiring and the costs")->capture_default_str();
        app.add_option("-o,--output", options->output, "Write to this file instead of standard output");
        return [options] { growth(*options); };
      }};
}

}  // namespace opsched::cli
