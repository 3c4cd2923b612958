#include "experiments/bench/cases.hpp"

#include <algorithm>
#include <regex>

#include "core/error.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched::bench {
namespace {

void require_at_least(const std::vector<int>& values, int least, const std::string& what) {
  if (values.empty()) throw Error(what + ": no value");
  for (int value : values)
    if (value < least) throw Error(what + " " + std::to_string(value) + ": must be at least " + std::to_string(least));
}

std::vector<std::string> chosen_networks(const std::vector<std::string>& names) {
  std::vector<std::string> chosen = names;
  for (const std::string& name : names) find_network(name);
  if (names.empty())
    for (const NetworkInfo& info : networks()) chosen.push_back(info.name);
  return chosen;
}

/// Sequential on one device is what all others are compared with; schedulers for several devices are
/// left out on one, where they have nothing to decide.
bool made_for(const SchedulerInfo& info, int gpus) {
  if (gpus == 1) return info.max_devices == 1;
  return info.max_devices == 0 || info.max_devices >= gpus;
}

std::vector<std::string> chosen_schedulers(const std::vector<std::string>& names, int gpus) {
  std::vector<std::string> chosen;
  for (const std::string& name : names) chosen.push_back(find_scheduler(name).name);
  if (names.empty())
    for (const SchedulerInfo& info : schedulers())
      if (made_for(info, gpus)) chosen.push_back(info.name);
  std::ranges::stable_partition(chosen, [](const std::string& name) { return name == "sequential"; });
  return chosen;
}

std::vector<Precision> chosen_precisions(const std::vector<std::string>& names) {
  if (names.empty()) return {kPrecisions.begin(), kPrecisions.end()};
  std::vector<Precision> chosen;
  for (const std::string& name : names) chosen.push_back(parse_precision(name));
  return chosen;
}

/// Google Benchmark's meaning of --benchmark_filter.
class NameFilter {
 public:
  explicit NameFilter(std::string text) {
    if (text == "all") text.clear();
    if (text.starts_with("-")) negative_ = true, text.erase(0, 1);
    try {
      expression_ = std::regex(text, std::regex::extended);
    } catch (const std::regex_error& e) {
      throw Error("--benchmark_filter '" + text + "': no regular expression: " + e.what());
    }
  }
  bool accepts(const std::string& name) const { return std::regex_search(name, expression_) != negative_; }

 private:
  std::regex expression_;
  bool negative_ = false;
};

}  // namespace

std::vector<Case> make_cases(const Selection& selection) {
  require_at_least(selection.batches, 1, "--batch");
  require_at_least(selection.images, 0, "--image");
  require_at_least(selection.gpus, 1, "--gpus");
  const NameFilter filter(selection.filter);
  std::vector<Case> cases;
  for (const std::string& network : chosen_networks(selection.networks))
    for (Precision precision : chosen_precisions(selection.precisions))
      for (int batch : selection.batches)
        for (int image : selection.images)
          for (int gpus : selection.gpus)
            for (const std::string& scheduler : chosen_schedulers(selection.schedulers, gpus)) {
              Case c{.network = network,
                     .scheduler = scheduler,
                     .batch = batch,
                     .image = image == find_network(network).image ? 0 : image,
                     .precision = precision,
                     .gpus = gpus};
              if (filter.accepts(c.name()) && std::ranges::find(cases, c) == cases.end()) cases.push_back(std::move(c));
            }
  if (cases.empty()) throw Error("no benchmark matches '" + selection.filter + "' (opsched bench --list shows all)");
  return cases;
}

}  // namespace opsched::bench
