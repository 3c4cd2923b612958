// IOS, table 1: the size of the search space of the largest block.
#include <algorithm>
#include <cstdlib>

#include "core/cost/signature/signature.hpp"
#include "experiments/figures/figure.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/count.hpp"

namespace opsched::figures {
namespace {

/// Concurrent stages only, no pruning, endings as in the code of the paper.
void count(FigureContext& context, records::Record record) {
  const Graph graph = make_network(record.what.network);
  IosOptions space;
  space.merge = false;
  space.group_size = space.groups = kUnlimited;
  space.poll = [&] { context.report("search space of " + graph.name()); };
  const IosCounts counts = count_graph(graph, space);
  const IosCount& largest = *std::ranges::max_element(counts.parts, {}, &IosCount::transitions);
  record.value = static_cast<double>(largest.transitions);
  record.texts["schedules_exact"] = largest.schedules;
  record.numbers = {{"operators", static_cast<double>(largest.operators)},
                    {"width", static_cast<double>(largest.width)},
                    {"states", static_cast<double>(largest.states)},
                    {"transitions", static_cast<double>(largest.transitions)},
                    {"schedules", std::strtod(largest.schedules.c_str(), nullptr)}};
  record.graph = fingerprint(graph);
  context.file().add(std::move(record));
}

}  // namespace

Figure search_space_figure() {
  return {.name = "search_space",
          .title = "The search space of the largest block",
          .paper = "IOS: table 1, search space",
          .items = [](const FigureSettings&) {
            std::vector<Item> items;
            for (const std::string& network : ios_networks()) {
              const records::Record wanted{.what = {.network = network, .scheduler = "ios-parallel"},
                                           .quantity = "search_space",
                                           .provenance = Provenance::exact};
              items.push_back({.name = wanted.key(),
                               .keys = {wanted.key()},
                               .seconds = 1,
                               .make = [wanted](FigureContext& context) { count(context, wanted); }});
            }
            return items;
          }};
}

}  // namespace opsched::figures
