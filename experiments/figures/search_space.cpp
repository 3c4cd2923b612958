// IOS, table 1: the size of the search space of the largest block, counted.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/error.hpp"
#include "experiments/figures/figure.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/count.hpp"

namespace opsched::figures {
namespace {

constexpr const char* kPaperEdges = OPSCHED_SOURCE_DIR "/tests/data/randwire";

std::vector<Row> count(Lab& lab, const std::string& network) {
  NetworkOptions options;
  if (network == "randwire" && std::filesystem::exists(kPaperEdges)) options.edge_lists = kPaperEdges;
  const Graph graph = make_network(network, options);
  IosOptions space;
  space.merge = false;
  space.group_size = space.groups = kUnlimited;
  space.poll = [&] { lab.report("search space of " + network); };
  const IosCounts counts = count_graph(graph, space);
  const IosCount& largest = *std::ranges::max_element(counts.parts, {}, &IosCount::transitions);
  Row row;
  row.result.what = {.network = network, .scheduler = "ios-parallel"};
  row.result.how = "exact";
  row.source = "counted: concurrent stages only, no pruning, endings as in the paper's code";
  if (network == "randwire")
    row.labels["instance"] = options.edge_lists.empty() ? "drawn from seed 1" : "the paper's edge lists";
  row.labels["schedules_exact"] = largest.schedules;
  row.numbers = {{"operators", static_cast<double>(largest.operators)},
                 {"width", static_cast<double>(largest.width)},
                 {"states", static_cast<double>(largest.states)},
                 {"transitions", static_cast<double>(largest.transitions)},
                 {"schedules", std::strtod(largest.schedules.c_str(), nullptr)}};
  return {row};
}

}  // namespace

Figure search_space_figure() {
  return {.name = "search_space",
          .title = "The search space of the largest block",
          .paper = "IOS: table 1, search space",
          .items = [](const Place&) {
            std::vector<Item> items;
            for (const std::string network : {"inception_v3", "randwire", "nasnet", "squeezenet"})
              items.push_back({.key = "search_space/" + network,
                               .what = {.network = network, .scheduler = "ios-parallel"},
                               .seconds = 1,
                               .gather = [network](Lab& lab) { return count(lab, network); }});
            return items;
          }};
}

}  // namespace opsched::figures
