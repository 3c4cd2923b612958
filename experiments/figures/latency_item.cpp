#include "core/error.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// What finding and timing takes on an H200 from an empty profile, roughly.
double expected_seconds(const records::Case& what) {
  if (!what.scheduler.starts_with("ios")) return 0.5;
  if (what.network == "squeezenet") return 1;
  return what.network == "inception_v3" ? 8 + 0.3 * what.batch : 30;
}

}  // namespace

Item latency_item(const records::Case& what, bool only_measured) {
  Item item{.name = what.name(), .keys = {records::Record{.what = what}.key()}, .seconds = expected_seconds(what)};
  only_measured |= what.network == "randwire-paper";
  item.make = [=](FigureContext& context) {
    if (only_measured && !context.settings().measurable(what))
      throw Error("not measured yet: `opsched reproduce` does it on " +
                  (what.gpus == 1
                       ? std::string("a GPU")
                       : std::to_string(what.gpus) + " GPUs of one host (--gpus " + std::to_string(what.gpus) + ")"));
    context.add(context.runner().time(what, context.runner().find(what)));
  };
  return item;
}

}  // namespace opsched::figures
