// ios-verified: the best of several schedules by whole-schedule latency, mixed part by part.
//
// IOS adds up the latencies of stages that were measured separately. The latency of a whole schedule also depends on
// what a stage leaves in the caches, and on how well its kernels overlap with the next stage's; a sum does not include
// that.
#include <map>
#include <optional>
#include <set>

#include "core/cost/signature/signature.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/ios/dataflow.hpp"
#include "schedulers/ios/search.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

// Required gain of a combination: the difference between repeated measurements of one schedule.
constexpr double kRequiredGain = 0.002;

class Verified {
 public:
  Verified(const SchedulerRequest& request, const IosSearchOptions& options)
      : request_(request), options_(options), graph_(request.cost.graph()), best_(request.cost) {}

  Schedule run(bool mix) {
    for (const bool merge : {true, false})
      try_seed(merge ? "ios-both" : "ios-parallel", [&] {
        IosSearchOptions search = options_;
        search.space.merge = merge;
        IosResult result = ios_search(request_, search, [&](const Schedule& s) {
          if (best_.empty() && request_.found) request_.found(s);  // the search is being stopped
        });
        consider(std::move(result.schedule), result.ms);
      });
    for (const char* other : {"wavefront", "greedy"}) try_seed(other, [&] { consider(plain(other)); });
    if (!best_.empty())
      try_seed("ios-dataflow", [&] {
        if (mix) mix_parts();
        const Schedule stages = best_.schedule();
        consider(without_barriers(graph_, stages));
      });
    Schedule dataflow = plain("dataflow");
    consider(dataflow);
    return best_.empty() ? dataflow : best_.schedule();
  }

 private:
  Schedule plain(const std::string& scheduler) {
    return make_schedule(scheduler,
                         {.cost = request_.cost, .devices = 1, .options = {}, .progress = request_.progress});
  }

  /// Runs a scheduler; if it fails, the search goes on without it.
  template <class Seed>
  void try_seed(const std::string& name, const Seed& seed) {
    try {
      seed();
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error& e) {
      if (request_.note) request_.note("without " + name + ": " + e.what());
    }
  }

  /// Fastest::offer() for schedules that have not been offered yet.
  bool consider(Schedule schedule, std::optional<double> otherwise = {}, double margin = 0) {
    schedule.graph = graph_.name();
    schedule.scheduler.clear();
    if (schedule.mode == Mode::barrier && margin == 0) candidates_.push_back(schedule);
    if (!seen_.insert(fingerprint(schedule)).second) return false;
    if (request_.progress)
      request_.progress("comparing whole schedules: " + std::to_string(seen_.size()) +
                        (best_.empty() ? "" : ", best " + std::to_string(best_.ms()) + " ms"));
    const bool better = best_.offer(std::move(schedule), otherwise, margin);
    if (better && request_.found) request_.found(best_.schedule());
    return better;
  }

  /// Stages by part; empty if a stage spans several parts.
  std::optional<std::vector<std::vector<Stage>>> split(const Schedule& schedule) const {
    std::vector<std::vector<Stage>> parts(parts_.size());
    for (const Stage& stage : schedule.devices.front().stages) {
      const int part = part_of_[stage.groups.front().front()];
      for (const Group& group : stage.groups)
        for (OpId op : group)
          if (part_of_[op] != part) return std::nullopt;
      parts[part].push_back(stage);
    }
    return parts;
  }

  void mix_parts() {
    parts_ = ios_parts(graph_, options_.space.max_part_size);
    part_of_.assign(graph_.size(), -1);
    const StageSigner signer(graph_);
    std::map<std::string, std::vector<int>> twins;  // parts of equal structure and wiring, which change together
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      for (OpId op : parts_[p].ops) part_of_[op] = static_cast<int>(p);
      twins[signer.stage({.strategy = Strategy::concurrent, .groups = {parts_[p].ops}})].push_back(static_cast<int>(p));
    }
    std::vector<std::vector<std::vector<Stage>>> lists;
    for (const Schedule& candidate : candidates_)
      if (const auto list = split(candidate)) lists.push_back(*list);
    auto current = split(best_.schedule());
    if (!current) return;
    for (const auto& [key, alike] : twins)
      for (const auto& list : lists) {
        auto trial = *current;
        for (int p : alike) trial[p] = list[p];
        if (trial == *current) continue;
        Schedule schedule;
        schedule.devices.resize(1);
        for (const auto& part : trial)
          schedule.devices[0].stages.insert(schedule.devices[0].stages.end(), part.begin(), part.end());
        if (consider(std::move(schedule), {}, kRequiredGain)) current = std::move(trial);
      }
  }

  const SchedulerRequest& request_;
  const IosSearchOptions& options_;
  const Graph& graph_;
  std::vector<Schedule> candidates_;  ///< schedules with barriers
  std::vector<IosPart> parts_;
  std::vector<int> part_of_;  ///< by operator
  std::set<std::string> seen_;
  Fastest best_;
};

Schedule make_verified(const SchedulerRequest& request) {
  SchedulerOptions search = request.options;
  search.erase("mix");
  const IosSearchOptions options = ios_search_options(search);
  return Verified(request, options).run(OptionReader(request.options).choice("mix", "yes", {"yes", "no"}) == "yes");
}

}  // namespace

SchedulerInfo ios_verified_scheduler() {
  std::map<std::string, std::string> options = ios_option_texts();
  options["mix"] = "yes: also combine schedules part by part while the whole gets faster (yes)";
  return {
      .name = "ios-verified",
      .summary = "the fastest whole schedule of ios-both, ios-parallel, wavefront, greedy, dataflow and combinations",
      .max_devices = 1,
      .options = options,
      .make = make_verified};
}

}  // namespace opsched
