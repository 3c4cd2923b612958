#include "experiments/ios_ablation.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "schedulers/ios_dataflow.hpp"

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
        search(pruning_variant(r, s), [r, s](IosSearchOptions& o) {
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
      search("as needed", [](IosSearchOptions&) {});
      search("exhaustive", [](IosSearchOptions& o) { o.exhaustive = true; });
    } else {
      barriers();
    }
  }

  std::vector<AblationRow> rows;

 private:
  template <class Change>
  void search(const std::string& variant, const Change& change) {
    if (!source_.wanted.empty() && std::ranges::find(source_.wanted, variant) == source_.wanted.end()) return;
    IosSearchOptions options;
    change(options);
    CostModel& costs = source_.costs();
    const IosResult result = ios_search(costs, options, source_.progress);
    add(variant, result, result.schedule);
  }

  /// The stages were chosen for running with barriers; here they run in other ways.
  void barriers() {
    const IosResult result = ios_search(source_.costs(), {}, source_.progress);
    const Graph& graph = source_.costs().graph();
    add("barrier", result, result.schedule);
    Schedule free = result.schedule;
    free.mode = Mode::dataflow;
    add("dataflow, same streams", result, free);
    add("dataflow, streams by waits", result, without_barriers(graph, result.schedule));
  }

  void add(const std::string& variant, const IosResult& result, const Schedule& schedule) {
    rows.push_back({study_, variant, result.ms, source_.run(schedule), stage_count(schedule), result.stats});
    if (source_.done) source_.done(rows.back());
  }

  const AblationSource& source_;
  std::string study_;
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

std::vector<AblationRow> ios_ablation(const std::vector<std::string>& studies, const AblationSource& source) {
  std::string known;
  for (const std::string& name : ablation_studies()) known.append(known.empty() ? "" : ", ").append(name);
  for (const std::string& name : studies)
    if (std::ranges::find(ablation_studies(), name) == ablation_studies().end())
      throw Error("unknown study '" + name + "'; known: " + known);
  Ablation ablation(source);
  for (const std::string& name : studies) ablation.study(name);
  return std::move(ablation.rows);
}

std::string to_json(const std::vector<AblationRow>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const AblationRow& row : rows)
    list.push_back({{"study", row.study},
                    {"variant", row.variant},
                    {"predicted_ms", row.predicted_ms},
                    {"run_ms", row.run_ms},
                    {"schedule_stages", row.stages},
                    {"states", row.stats.states},
                    {"transitions", row.stats.transitions},
                    {"stages", row.stats.stages},
                    {"measured", row.stats.measured},
                    {"search_seconds", row.stats.seconds}});
  return list.dump(2) + "\n";
}

}  // namespace opsched
