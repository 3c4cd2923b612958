#include "experiments/studies/ios_ablation.hpp"

#include <algorithm>
#include <utility>

#include "core/names.hpp"
#include "schedulers/ios/dataflow.hpp"

namespace opsched {
namespace {

/// The paper's r and s.
constexpr std::pair<int, int> kBounds[] = {{1, 3}, {1, 8}, {2, 3}, {2, 8}, {3, 3}, {3, 8}};

std::string pruning_variant(int r, int s) { return "r=" + std::to_string(r) + " s=" + std::to_string(s); }

class Ablation {
 public:
  explicit Ablation(const AblationSource& source) : source_(source) {}

  void study(const std::string& name) {
    study_ = name;
    if (name == "pruning") {
      for (const auto& [r, s] : kBounds)
        search(pruning_variant(r, s), [r = r, s = s](IosSearchOptions& o) {
          o.space.group_size = r;
          o.space.groups = s;
        });
    } else if (name == "strategies") {
      search("merge", [](IosSearchOptions& o) { o.space.concurrent = false; });
      search("parallel", [](IosSearchOptions& o) { o.space.merge = false; });
      search("both", [](IosSearchOptions&) {});
    } else if (name == "enumerations") {
      for (Enumeration e : {Enumeration::single_source, Enumeration::components})
        search(to_string(e), [&](IosSearchOptions& o) { o.space.enumeration = e; });
    } else if (name == "measuring") {
      measuring();
    } else {
      barriers();
    }
  }

 private:
  bool there(const std::string& variant) const { return source_.known && source_.known(study_, variant); }

  template <class Change>
  void search(const std::string& variant, const Change& change) {
    if (there(variant)) return;
    if (!source_.wanted.empty() && std::ranges::find(source_.wanted, variant) == source_.wanted.end()) return;
    IosSearchOptions options = defaults_;
    change(options);
    const IosResult result = ios_search(source_.costs(), options, source_.progress);
    add(variant, result, result.schedule);
  }

  /// Both variants use one profile, so that they choose by the same measurements.
  void measuring() {
    const bool needed_known = there("as needed");
    if (there("exhaustive")) return;
    CostModel& costs = source_.costs();
    const IosResult needed = ios_search(costs, defaults_, source_.progress);
    if (!needed_known) add("as needed", needed, needed.schedule);
    IosSearchOptions all = defaults_;
    all.exhaustive = true;
    IosResult rest = ios_search(costs, all, source_.progress);
    rest.stats.measured += needed.stats.measured;
    rest.stats.seconds += needed.stats.seconds;
    add("exhaustive", rest, rest.schedule);
  }

  /// The stages were chosen to run with barriers; here they also run without.
  void barriers() {
    const std::vector<std::string> ways = {"barrier", "dataflow, same streams", "dataflow, streams by waits"};
    if (std::ranges::count_if(ways, [&](const std::string& way) { return there(way); }) == std::ssize(ways)) return;
    CostModel& costs = source_.costs();
    const IosResult result = ios_search(costs, defaults_, source_.progress);
    add(ways[0], result, result.schedule);
    Schedule free = result.schedule;
    free.mode = Mode::dataflow;
    add(ways[1], result, free);
    add(ways[2], result, without_barriers(costs.graph(), result.schedule));
  }

  void add(const std::string& variant, const IosResult& result, const Schedule& schedule) {
    bench::Timed timed = source_.run(schedule);
    const SearchStats& stats = result.stats;
    timed.record.labels = {{"study", study_}, {"variant", variant}};
    std::map<std::string, double>& numbers = timed.record.numbers;
    numbers["predicted_ms"] = result.ms;  // as predicted by the search, like its bound
    numbers["bound_ms"] = result.bound_ms;
    numbers["states"] = static_cast<double>(stats.states);
    numbers["transitions"] = static_cast<double>(stats.transitions);
    numbers["distinct_stages"] = static_cast<double>(stats.stages);
    numbers["measured_stages"] = static_cast<double>(stats.measured);
    numbers["search_seconds"] = stats.seconds;
    source_.done(timed);
  }

  const AblationSource& source_;
  std::string study_;
  const IosSearchOptions defaults_ = ios_search_options({});  ///< the defaults of the schedulers
};

}  // namespace

const std::vector<std::string>& ablation_studies() {
  static const std::vector<std::string> names = {"pruning", "strategies", "enumerations", "measuring", "barriers"};
  return names;
}

std::vector<std::string> pruning_variants() {
  std::vector<std::string> names;
  for (const auto& [r, s] : kBounds) names.push_back(pruning_variant(r, s));
  return names;
}

void ios_ablation(const std::vector<std::string>& studies, const AblationSource& source) {
  const std::vector<std::string>& all = ablation_studies();
  for (const std::string& name : studies)
    if (std::ranges::find(all, name) == all.end()) throw Error("unknown study '" + name + "'; known: " + joined(all));
  Ablation ablation(source);
  for (const std::string& name : studies) ablation.study(name);
}

}  // namespace opsched
