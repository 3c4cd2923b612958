// IOS, figure "pruning": search cost and schedule latency under the bounds r (operators per group) and s (groups per
// stage).
#include "experiments/figures/figure.hpp"
#include "experiments/studies/ios_ablation.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched::figures {
namespace {

/// The same records as `opsched ablation`, which may already have made them.
void make(FigureContext& context, const records::Case& what, const std::string& variant) {
  CostModel& shared = context.runner().costs(what);
  EmptyProfile empty(shared.graph(), what.precision, {.kind = "gpu"});
  AblationSource source;
  source.wanted = {variant};
  source.costs = [&]() -> CostModel& { return context.settings().measures ? empty.costs() : shared; };
  source.run = [&](const Schedule& schedule) { return context.runner().time(what, {.schedule = schedule}); };
  source.progress = [&](const std::string& text) { context.report(what.network + " " + variant + ": " + text); };
  source.done = [&](const bench::Timed& timed) { context.add(timed); };
  ios_ablation({"pruning"}, source);
}

}  // namespace

Figure pruning_figure() {
  return {.name = "pruning",
          .title = "Pruning: latency of IOS-Both's schedule against the cost of its search",
          .paper = "IOS: pruning",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            for (const char* network : {"inception_v3", "nasnet"})
              for (const std::string& variant : pruning_variants()) {
                const records::Case what{.network = network, .scheduler = "ios-both", .precision = settings.precision};
                const records::Record wanted{.what = what, .labels = {{"study", "pruning"}, {"variant", variant}}};
                items.push_back({.name = wanted.key(),
                                 .keys = {wanted.key()},
                                 .seconds = what.network == "nasnet" ? 15.0 : 8.0,
                                 .make = [what, variant](FigureContext& context) { make(context, what, variant); }});
              }
            return items;
          }};
}

}  // namespace opsched::figures
