// IOS, figure "pruning": what the bounds r (operators a group) and s (groups a stage) cost and save.
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "experiments/figures/figure.hpp"
#include "experiments/studies/ios_ablation.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched::figures {
namespace {

Row make_row(Row row, const AblationRow& found) {
  row.labels = {{"variant", found.variant}};
  row.numbers = {{"predicted_ms", found.predicted_ms},
                 {"transitions", static_cast<double>(found.transitions)},
                 {"distinct_stages", static_cast<double>(found.asked_of)},
                 {"measured_stages", static_cast<double>(found.measured)}};
  return row;
}

/// What `opsched ablation --fresh` measured into the results folder; on a GPU only if it is this one's.
std::optional<Row> recorded(Lab& lab, const bench::Case& what, const std::string& variant) {
  if (lab.place().measures && lab.place().fresh) return std::nullopt;
  const std::string path =
      lab.place().results + "/ablation-" + what.network + "-" + to_string(what.precision) + ".json";
  const std::optional<AblationFile> file = read_ablation(path);
  if (!file || !file->origin.ends_with(kFromEmptyProfile)) return std::nullopt;
  if (lab.place().measures && file->origin != lab.device().describe() + kFromEmptyProfile) return std::nullopt;
  for (const AblationRow& found : file->rows) {
    if (found.study != "pruning" || found.variant != variant || found.how != "measured") continue;
    Row row;
    row.result.what = what;
    row.result.ms = found.run_ms;
    row.result.how = "recorded";
    row.result.stages = found.stages;
    row.result.search_seconds = found.search_seconds;
    row.source = file->origin + " (" + path + ")";
    return make_row(std::move(row), found);
  }
  return std::nullopt;
}

std::vector<Row> gather(Lab& lab, const bench::Case& what, const std::string& variant) {
  if (std::optional<Row> known = recorded(lab, what, variant)) return {std::move(*known)};
  const ScratchFolder scratch("pruning");
  CostModel& shared = lab.runner().costs(what);
  std::unique_ptr<Device> fresh;
  std::unique_ptr<CostModel> fresh_costs;
  Row row;
  AblationSource source;
  source.wanted = {variant};
  source.costs = [&]() -> CostModel& {
    if (!lab.place().measures) return shared;
    fresh = open_gpu({.kind = "gpu", .profile = scratch.path(), .report = {}});
    fresh_costs = fresh->costs(shared.graph(), what.precision);
    return *fresh_costs;
  };
  source.run = [&](const Schedule& schedule) {
    row = lab.row(lab.runner().time(what, {.schedule = schedule}));
    return std::pair(row.result.ms, row.result.how);
  };
  source.progress = [&](const std::string& text) { lab.report(what.network + " " + variant + ": " + text); };
  std::vector<AblationRow> rows;
  ios_ablation({"pruning"}, source, rows);
  if (rows.size() != 1) throw Error("pruning: no variant '" + variant + "'");
  // Of a replay, the time says nothing about measuring.
  if (lab.place().measures) row.result.search_seconds = rows.front().search_seconds;
  return {make_row(std::move(row), rows.front())};
}

}  // namespace

Figure pruning_figure() {
  return {.name = "pruning",
          .title = "Pruning: latency of IOS-Both's schedule against the cost of its search",
          .paper = "IOS: pruning",
          .items = [](const Place& place) {
            std::vector<Item> items;
            for (const char* network : {"inception_v3", "nasnet"})
              for (const std::string& variant : pruning_variants()) {
                const bench::Case what{.network = network, .scheduler = "ios-both", .precision = place.precision};
                items.push_back({.key = what.name() + "/" + variant,
                                 .what = what,
                                 .seconds = what.network == "nasnet" ? 15.0 : 8.0,
                                 .gather = [what, variant](Lab& lab) { return gather(lab, what, variant); }});
              }
            return items;
          }};
}

}  // namespace opsched::figures
