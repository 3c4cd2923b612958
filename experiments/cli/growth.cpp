// opsched growth: time and memory of the IOS search as the graph grows.
#include <iostream>
#include <memory>

#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/command_line.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/studies/search_growth.hpp"
#include "networks/network.hpp"
#include "schedulers/options.hpp"

namespace opsched::cli {
namespace {

struct Options {
  std::vector<std::string> networks;
  std::string edge_lists;
  std::vector<int> nodes = {16, 24, 32, 40, 48, 56, 64};
  std::string enumeration = "single-source", group_size = "3", groups = "8";
  RecordOptions records;
  std::uint64_t seed = 1;
};

void print_growth(const std::vector<records::Record>& rows) {
  TextTable table({Align::left, Align::right});
  table.add({"graph", "states", "width", "transitions", "distinct stages", "count, s", "count, MB", "search, s",
             "search, MB"});
  table.add_rule();
  for (const records::Record& row : rows) {
    if (!row.missing.empty()) {
      table.add({row.what.network, row.texts.at("states"), "gave up: " + row.missing});
      continue;
    }
    std::vector<std::string> cells = {row.what.network};
    for (const char* name : {"states", "width", "transitions", "distinct_stages"})
      cells.push_back(fixed(row.number(name), 0));
    cells.insert(cells.end(), {fixed(row.number("count_seconds"), 3), fixed(row.number("count_mb"), 1),
                               fixed(*row.value, 3), fixed(row.number("search_mb"), 1)});
    table.add(std::move(cells));
  }
  table.print(std::cout);
}

void growth(const Options& options, const std::string& command) {
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
  const std::unique_ptr<records::RecordFile> file = options.records.open({.command = command});
  std::vector<records::Record> rows;
  for (const Graph& graph : graphs) {
    std::cerr << graph.name() << "\n";
    rows.push_back(search_growth(graph, space, options.seed));
    rows.back().what.options = {
        {"enumeration", options.enumeration}, {"group-size", options.group_size}, {"groups", options.groups}};
    if (file) file->add(rows.back());
  }
  if (file) file->finish();
  print_growth(rows);
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
          "  opsched growth --out results/search                  kept in its records.jsonl",
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
        options->records.add_to(app);
        return [options] { growth(*options, command_line()); };
      }};
}

}  // namespace opsched::cli
