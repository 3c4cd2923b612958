// IOS, figure "pruning": what the bounds r (operators a group) and s (groups a stage) cost and save.
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "core/error.hpp"
#include "experiments/figures/figure.hpp"
#include "experiments/ios_ablation.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;

/// A folder for the profile of one search, so that its cost counts from nothing.
class ScratchFolder {
 public:
  ScratchFolder() : path_((fs::temp_directory_path() / ("opsched-pruning-" + std::to_string(getpid()))).string()) {
    fs::remove_all(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<Row> gather(Lab& lab, const bench::Case& what, const std::string& variant) {
  const ScratchFolder scratch;
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
  const AblationRow& found = rows.front();
  row.labels = {{"variant", variant}};
  row.numbers = {{"predicted_ms", found.predicted_ms},
                 {"transitions", static_cast<double>(found.transitions)},
                 {"distinct_stages", static_cast<double>(found.asked_of)},
                 {"measured_stages", static_cast<double>(found.measured)}};
  // Of a replay, the time says nothing about measuring.
  if (lab.place().measures) row.result.search_seconds = found.search_seconds;
  return {row};
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
