#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// What finding and timing takes on an H200 from an empty profile, roughly.
double expected_seconds(const bench::Case& what) {
  if (!what.scheduler.starts_with("ios")) return 0.5;
  if (what.network == "squeezenet") return 1;
  return what.network == "inception_v3" ? 8 + 0.3 * what.batch : 30;
}

}  // namespace

Item latency_item(const bench::Case& what, const SchedulerOptions& options) {
  std::string key = what.name();
  for (const auto& [name, value] : options) key.append("/").append(name).append("=").append(value);
  return {.key = key, .what = what, .seconds = expected_seconds(what), .gather = [what, options](Lab& lab) {
            return std::vector<Row>{lab.latency(what, options)};
          }};
}

}  // namespace opsched::figures
