// opsched growth: time and memory of the IOS search as the graph grows.
#include <iostream>
#include <memory>

#include "core/files.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/interrupt.hpp"
#include "experiments/search_growth.hpp"
#include "schedulers/options.hpp"

namespace opsched::cli {
namespace {

struct Options {
  GrowthOptions growth;
  std::string enumeration = "single-source", group_size = "3", groups = "8", output;
};

void growth(Options options) {
  const SchedulerOptions texts = {{"--group-size", options.group_size}, {"--groups", options.groups}};
  const OptionReader reader(texts);
  options.growth.space.group_size = reader.limit("--group-size", 3, 1);
  options.growth.space.groups = reader.limit("--groups", 8, 1);
  options.growth.space.enumeration = parse_enumeration(options.enumeration);
  std::string command = "opsched growth --nodes";
  for (int nodes : options.growth.nodes) command += " " + std::to_string(nodes);
  command += " --enumeration " + options.enumeration + " --group-size " + options.group_size + " --groups " +
             options.groups + " --seed " + std::to_string(options.growth.seed);
  const auto rows = search_growth(options.growth, [](const GrowthRow& row) {
    std::cerr << row.nodes << " nodes: " << row.states << " states" << (row.gave_up.empty() ? "" : "; " + row.gave_up)
              << "\n";
    check_interrupt();
  });
  const std::string text = to_markdown(rows, command);
  if (options.output.empty())
    std::cout << text;
  else
    write_file_atomically(options.output, text);
}

}  // namespace

Command growth_command() {
  return {
      .name = "growth",
      .summary = "Time and memory of the IOS search on random stages of growing size",
      .examples =
          "  opsched growth                                       RandWire's stages, 16 to 64 nodes\n"
          "  opsched growth --nodes 16 32 --group-size unlimited  no pruning\n"
          "  opsched growth -o results/search/growth.md           the table of the results",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<Options>();
        app.add_option("--nodes", options->growth.nodes, "Sizes of the stages")
            ->check(CLI::Range(5, 10'000))
            ->capture_default_str();
        app.add_option("--enumeration", options->enumeration, "single-source or components")->capture_default_str();
        app.add_option("--group-size", options->group_size, "Most operators in a group (r), or unlimited")
            ->capture_default_str();
        app.add_option("--groups", options->groups, "Most groups in a stage (s), or unlimited")->capture_default_str();
        app.add_option("--seed", options->growth.seed, "Of the wiring and the costs")->capture_default_str();
        app.add_option("-o,--output", options->output, "Write to this file instead of standard output");
        return [options] { growth(*options); };
      }};
}

}  // namespace opsched::cli
