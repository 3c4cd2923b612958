// opsched growth: time and memory of the IOS search as the graph grows.
#include "experiments/cli/options.hpp"
#include "experiments/studies/search_growth.hpp"

namespace opsched::cli {
namespace {

struct GrowthOptions {
  std::vector<std::string> networks;
  std::string edge_lists;
  std::vector<int> nodes = {16, 24, 32, 40, 48, 56, 64};
  IosSpaceOptions space;
  RecordOptions records;
  std::uint64_t seed = 1;

  void add_to(CLI::App& app) {
    app.add_option("NETWORK", networks, "Use named networks instead of random stages; several may be given");
    app.add_option("--edge-lists", edge_lists, "RandWire: load the edge lists in this folder");
    app.add_option("--nodes", nodes, "Numbers of nodes of the stages")->check(CLI::Range(5, 10'000));
    space.add_to(app);
    app.add_option("--seed", seed, "Seed of the wiring and the costs");
    records.add_to(app);
  }
};

void print_growth(const std::vector<records::Record>& rows) {
  TextTable table({Align::left, Align::right}, {"graph", "states", "width", "transitions", "distinct stages",
                                                "count, s", "count, MB", "search, s", "search, MB"});
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
  std::cout << table.text();
}

void growth(const GrowthOptions& options) {
  const IosSpaceOptions& texts = options.space;
  const IosOptions space = texts.space();
  std::vector<Graph> graphs;
  for (const std::string& network : options.networks)
    graphs.push_back(make_network(network, {.seed = options.seed, .edge_lists = options.edge_lists}));
  if (graphs.empty())
    for (int nodes : options.nodes) graphs.push_back(random_stage(nodes, options.seed));
  const std::unique_ptr<records::RecordFile> file = options.records.open();
  std::vector<records::Record> rows;
  for (const Graph& graph : graphs) {
    std::cerr << "searching " << graph.name() << "\n";
    rows.push_back(search_growth(graph, space, options.seed));
    rows.back().what.options = {
        {"enumeration", texts.enumeration}, {"group-size", texts.group_size}, {"groups", texts.groups}};
    if (file) file->add(rows.back());
  }
  if (file) file->finish();
  print_growth(rows);
}

}  // namespace

Command growth_command() {
  return {.name = "growth",
          .summary = "Measure time and memory of the IOS search alone, on random stages of growing size",
          .examples =
              "  opsched growth                                       RandWire stages of 16 to 64 nodes, minutes\n"
              "  opsched growth --nodes 16 32 --group-size unlimited  no pruning\n"
              "  opsched growth nasnet inception_v3                   networks, with synthetic costs\n"
              "  opsched growth --out results/search                  also store the results in records.jsonl",
          .setup = setup_of(growth)};
}

}  // namespace opsched::cli
