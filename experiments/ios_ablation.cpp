#include "experiments/ios_ablation.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "schedulers/ios_dataflow.hpp"

namespace opsched {
namespace {

class Ablation {
 public:
  explicit Ablation(const AblationSource& source) : source_(source) {}

  void study(const std::string& name) {
    study_ = name;
    if (name == "pruning") {
      for (int r : {1, 2, 3})
        for (int s : {3, 8})
          search("r=" + std::to_string(r) + " s=" + std::to_string(s), [&](IosSearchOptions& o) {
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
