#include "experiments/studies/ios_ablation.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "core/files.hpp"
#include "schedulers/ios/dataflow.hpp"

namespace opsched {
namespace {

/// The paper's r and s.
constexpr std::pair<int, int> kBounds[] = {{1, 3}, {1, 8}, {2, 3}, {2, 8}, {3, 3}, {3, 8}};

std::string pruning_variant(int r, int s) { return "r=" + std::to_string(r) + " s=" + std::to_string(s); }

class Ablation {
 public:
  Ablation(const AblationSource& source, std::vector<AblationRow>& rows) : source_(source), rows_(rows) {}

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
  bool there(const std::string& variant) const {
    return std::ranges::any_of(rows_, [&](const AblationRow& r) { return r.study == study_ && r.variant == variant; });
  }

  template <class Change>
  void search(const std::string& variant, const Change& change) {
    if (there(variant)) return;
    if (!source_.wanted.empty() && std::ranges::find(source_.wanted, variant) == source_.wanted.end()) return;
    IosSearchOptions options = defaults_;
    change(options);
    const IosResult result = ios_search(source_.costs(), options, source_.progress);
    add(variant, result, result.schedule);
  }

  /// On one profile, so that both choose by the same measurements.
  void measuring() {
    if (there("exhaustive")) return;
    CostModel& costs = source_.costs();
    const IosResult needed = ios_search(costs, defaults_, source_.progress);
    if (!there("as needed")) add("as needed", needed, needed.schedule);
    IosSearchOptions all = defaults_;
    all.exhaustive = true;
    IosResult rest = ios_search(costs, all, source_.progress);
    rest.stats.measured += needed.stats.measured;
    rest.stats.seconds += needed.stats.seconds;
    add("exhaustive", rest, rest.schedule);
  }

  /// The stages were chosen for running with barriers; here they run in other ways.
  void barriers() {
    const std::string last = "dataflow, streams by waits";
    if (there(last)) return;
    std::erase_if(rows_, [](const AblationRow& r) { return r.study == "barriers"; });
    CostModel& costs = source_.costs();
    const IosResult result = ios_search(costs, defaults_, source_.progress);
    add("barrier", result, result.schedule);
    Schedule free = result.schedule;
    free.mode = Mode::dataflow;
    add("dataflow, same streams", result, free);
    add(last, result, without_barriers(costs.graph(), result.schedule));
  }

  void add(const std::string& variant, const IosResult& result, const Schedule& schedule) {
    const auto [ms, how] = source_.run(schedule);
    const SearchStats& stats = result.stats;
    rows_.push_back({study_, variant, result.ms, result.bound_ms, ms, how, stage_count(schedule), stats.states,
                     stats.transitions, stats.stages, stats.measured, stats.seconds});
    if (source_.done) source_.done(rows_.back());
  }

  const AblationSource& source_;
  std::vector<AblationRow>& rows_;
  std::string study_;
  const IosSearchOptions defaults_ = ios_search_options({});  ///< those of the schedulers
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

void ios_ablation(const std::vector<std::string>& studies, const AblationSource& source,
                  std::vector<AblationRow>& rows) {
  const std::vector<std::string>& all = ablation_studies();
  const auto unknown =
      std::ranges::find_if(studies, [&](const std::string& name) { return std::ranges::find(all, name) == all.end(); });
  if (unknown != studies.end()) {
    std::string known;
    for (const std::string& name : all) known.append(known.empty() ? "" : ", ").append(name);
    throw Error("unknown study '" + *unknown + "'; known: " + known);
  }
  Ablation ablation(source, rows);
  for (const std::string& name : studies) ablation.study(name);
}

std::string ablation_to_json(const std::string& origin, const std::string& graph, const std::string& precision,
                             const std::vector<AblationRow>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const AblationRow& row : rows)
    list.push_back({{"study", row.study},
                    {"variant", row.variant},
                    {"predicted_ms", row.predicted_ms},
                    {"bound_ms", row.bound_ms},
                    {"run_ms", row.run_ms},
                    {"how", row.how},
                    {"schedule_stages", row.stages},
                    {"states", row.states},
                    {"transitions", row.transitions},
                    {"stages", row.asked_of},
                    {"measured", row.measured},
                    {"search_seconds", row.search_seconds}});
  const nlohmann::ordered_json file = {
      {"origin", origin}, {"graph", graph}, {"precision", precision}, {"rows", std::move(list)}};
  return file.dump(2) + "\n";
}

std::optional<AblationFile> read_ablation(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    AblationFile file{json.at("origin"), json.at("graph"), json.at("precision"), {}};
    for (const auto& row : json.at("rows"))
      file.rows.push_back({row.at("study"), row.at("variant"), row.at("predicted_ms"), row.at("bound_ms"),
                           row.at("run_ms"), row.at("how"), row.at("schedule_stages"), row.at("states"),
                           row.at("transitions"), row.at("stages"), row.at("measured"), row.at("search_seconds")});
    return file;
  } catch (const nlohmann::json::exception& e) {
    throw Error("'" + path + "' is no file of opsched ablation: " + e.what());
  }
}

std::vector<AblationRow> load_ablation(const std::string& path, const std::string& origin, const std::string& graph,
                                       const std::string& precision) {
  std::optional<AblationFile> file = read_ablation(path);
  if (!file) return {};
  if (file->origin != origin || file->graph != graph || file->precision != precision)
    throw Error("ablation '" + path + "' cannot be continued: it is about " + file->graph + ", " + file->precision +
                ", " + file->origin + "; give another --out folder, or remove the file");
  return std::move(file->rows);
}

}  // namespace opsched
