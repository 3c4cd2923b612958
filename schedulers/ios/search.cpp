#include "schedulers/ios/search.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <unordered_map>
#include <unordered_set>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "schedulers/ios/part_search.hpp"

namespace opsched {
namespace {

using Clock = std::chrono::steady_clock;

// How optimistic or cautious to be about unknown stages, in standard deviations.
constexpr double kDeviations = 2.5;
// Stages that an exhaustive search queries at once: an interruption loses at most these.
constexpr std::size_t kBatch = 64;
// Estimates are queried again after this many measurements, then each time the number has doubled.
constexpr std::int64_t kFirstEstimate = 32;
constexpr double kReportSeconds = 0.5;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Search {
 public:
  Search(CostModel& cost, const IosSearchOptions& options, const Progress& progress,
         const std::function<void(const Schedule&)>& found)
      : cost_(cost), options_(options), progress_(progress), found_(found), signer_(cost.graph()) {}

  IosResult run() {
    try {
      enumerate();
      if (options_.exhaustive)
        ask_everything();
      else if (cost_.measures())
        measure();
    } catch (const Error&) {
      throw;
    } catch (...) {  // stopped
      for (; !open_.empty(); open_.pop_back()) parts_.push_back({std::move(open_.back()), kNotSearched});
      if (found_) found_(finish().schedule);
      throw;
    }
    return finish();
  }

 private:
  struct Part {
    IosPart part;
    std::size_t search;  ///< index of the search, shared by parts with equal structure and wiring; or kNotSearched
  };
  struct Asked {
    IosPartSearch* part;
    int stage;
  };

  /// Recent improvement of a part's best known schedule.
  struct Progressing {
    double best = 0;
    std::int64_t learned = -1;  ///< measured stages at the last improvement by more than the tolerance

    bool too_slow(const IosPartSearch& part, const IosSearchOptions& options) {
      if (learned < 0 || !(part.known_best() > best / (1 + options.tolerance))) {
        best = part.known_best();
        learned = part.learned_count();
      }
      return options.patience != kUnlimited && std::isfinite(best) &&
             part.learned_count() - learned >= options.patience;
    }
  };

  void enumerate() {
    check(options_.space);
    if (!(options_.tolerance >= 0)) throw Error("the tolerance must be at least 0");
    std::unordered_map<std::string, std::size_t> twins;
    std::unordered_set<std::string> wide;
    open_ = ios_parts(cost_.graph(), options_.space.max_part_size);
    std::ranges::reverse(open_);
    while (!open_.empty()) {
      IosPart part = open_.back();
      IosOptions space = options_.space;
      space.may_split = options_.split_transitions > 0 && part.size() > 1;
      if (space.may_split && part.made != IosPart::Made::named)
        space.max_transitions =
            std::min(space.max_transitions,
                     part.made == IosPart::Made::piece ? options_.split_transitions / 10 : options_.split_transitions);
      space.poll = [&] {
        if (options_.space.poll) options_.space.poll();
        if (!progress_ || seconds_since(reported_) < kReportSeconds) return;
        progress_("enumerating " + part.name() + ", after " + std::to_string(result_.stats.states) + " states");
        reported_ = Clock::now();
      };
      space.poll();
      const auto begin = Clock::now();
      const std::string key = cost_.structural()
                                  ? signature(part)
                                  : std::to_string(part.ops.front()) + "-" + std::to_string(part.ops.back());
      const std::string limit = std::string(" ").append(std::to_string(space.max_transitions));
      const auto known = twins.find(key);
      const std::size_t twin = known == twins.end() ? searches_.size() : known->second;
      if (known == twins.end()) try {
          if (wide.contains(key + limit)) throw TooWide(part.name());
          searches_.emplace_back(part, cost_, space);
          twins.emplace(key, twin);
        } catch (const TooWide&) {
          wide.insert(key + limit);
          ++result_.stats.cuts;
          auto [first, second] = halves(cost_.graph(), part);
          open_.back() = std::move(second);
          open_.push_back(std::move(first));
          continue;
        }
      open_.pop_back();
      parts_.push_back({std::move(part), twin});
      SearchStats& stats = result_.stats;
      const IosPartSearch& search = searches_[twin];
      ++stats.parts;
      stats.states += search.space().states();
      stats.transitions += search.space().transitions();
      stats.stages += search.space().stages();
      stats.known += search.known_count();
      stats.enumerate_seconds += seconds_since(begin);
    }
  }

  /// The key of the part as one group, which determines its operators and their wiring.
  std::string signature(const IosPart& part) const {
    return signer_.stage({.strategy = Strategy::concurrent, .groups = {part.ops}});
  }

  void ask_everything() {
    std::vector<Asked> all;
    for (IosPartSearch& part : searches_)
      for (int i = 0; i < part.space().stages(); ++i)
        if (!part.known(i)) all.push_back({&part, i});
    for (std::size_t at = 0; at < all.size(); at += kBatch) {
      ask({all.begin() + static_cast<std::ptrdiff_t>(at),
           all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), at + kBatch))});
      report([&] { return static_cast<std::int64_t>(all.size() - std::min(all.size(), at + kBatch)); });
    }
  }

  void measure() {
    std::vector<IosPartSearch*> open;
    for (IosPartSearch& part : searches_) open.push_back(&part);
    std::unordered_map<const IosPartSearch*, Progressing> progressing;
    while (true) {
      std::vector<Asked> wanted;
      std::erase_if(open, [&](IosPartSearch* part) {
        const std::vector<int> stages = part->wanted(-kDeviations, options_.tolerance);
        if (stages.empty()) return true;
        if (progressing[part].too_slow(*part, options_)) return result_.stats.gave_up = true;
        for (int stage : stages) wanted.push_back({part, stage});
        return false;
      });
      if (wanted.empty()) return;
      if (result_.stats.measured >= options_.max_measured) {
        result_.stats.gave_up = true;
        return;
      }
      ask(wanted);
      if (result_.stats.measured >= next_estimate_) {
        for (IosPartSearch* part : open) part->estimate();
        next_estimate_ = 2 * result_.stats.measured;
      }
      report([&] {
        std::int64_t left = 0;
        for (const IosPartSearch* part : open) left += part->left();
        return left;
      });
    }
  }

  void ask(const std::vector<Asked>& wanted) {
    const auto begin = Clock::now();
    std::vector<Stage> stages;
    std::unordered_set<std::string> distinct;
    for (const Asked& w : wanted) {
      stages.push_back(w.part->space().stage(w.stage));
      if (!cost_.stage_known(stages.back())) distinct.insert(signer_.stage(stages.back()));
    }
    cost_.prefetch(stages);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i].part->learn(wanted[i].stage, cost_.stage_ms(stages[i]));
    asked_ += static_cast<std::int64_t>(wanted.size());
    asking_seconds_ += seconds_since(begin);
    result_.stats.measured += static_cast<std::int64_t>(distinct.size());
    ++result_.stats.rounds;
  }

  /// `left`: the number of stages that may still be queried.
  template <class Left>
  void report(const Left& left) {
    if (!progress_ || seconds_since(reported_) < kReportSeconds) return;
    const auto stages = left();
    char text[200];
    std::snprintf(text, sizeof text, "%lld states, %lld of %lld stages measured, at most %lld and %.1f s to go",
                  static_cast<long long>(result_.stats.states), static_cast<long long>(result_.stats.measured),
                  static_cast<long long>(result_.stats.stages), static_cast<long long>(stages),
                  static_cast<double>(stages) * asking_seconds_ / static_cast<double>(asked_));
    progress_(text);
    reported_ = Clock::now();
  }

  IosResult finish() {
    Schedule& schedule = result_.schedule;
    schedule.graph = cost_.graph().name();
    schedule.devices.resize(1);
    std::vector<IosTransitions::Path> paths;
    std::vector<double> bounds;
    for (IosPartSearch& part : searches_) {
      IosTransitions::Path known = part.solve_known();
      if (part.known_count() == part.space().stages() || options_.exhaustive) {
        bounds.push_back(known.ms);
        paths.push_back(std::move(known));
        continue;
      }
      const double hopeful = part.solve(-kDeviations).ms;
      bounds.push_back(std::min(known.ms, hopeful));
      if (cost_.measures() && std::isfinite(known.ms)) {
        paths.push_back(std::move(known));
        continue;
      }
      // A schedule that a measuring search found is also returned by a recorded one: at the end of the search, no
      // estimate was much better. Since then the model has learned from other measurements, hence twice the tolerance.
      IosTransitions::Path cautious = part.solve(kDeviations);
      const bool found = known.ms <= (1 + 2 * options_.tolerance) * std::max(hopeful, cautious.ms);
      paths.push_back(found ? std::move(known) : std::move(cautious));
    }
    for (const Part& part : parts_) {
      if (part.search == kNotSearched) {
        add_level_by_level(part.part, schedule.devices[0].stages);
        continue;
      }
      const IosSpace& space = searches_[part.search].space();
      result_.ms += paths[part.search].ms;
      result_.bound_ms += bounds[part.search];
      for (int stage : paths[part.search].stages)
        schedule.devices[0].stages.push_back(make_stage(part.part, space.strategy(stage), space.vertices(stage)));
    }
    result_.stats.seconds = seconds_since(start_);
    return std::move(result_);
  }

  /// Runs all operators that can run concurrently, or, if that is not allowed, one operator after another.
  void add_level_by_level(const IosPart& part, std::vector<Stage>& stages) const {
    std::vector<int> level(part.size(), 0);
    std::vector<Stage> levels;
    for (int v = 0; v < part.size(); ++v) {
      for (int p : part.preds[v]) level[v] = std::max(level[v], level[p] + 1);
      if (!options_.space.concurrent) level[v] = v;
      levels.resize(std::max<std::size_t>(levels.size(), level[v] + 1));
      levels[level[v]].groups.push_back({part.ops[v]});
    }
    std::ranges::move(levels, std::back_inserter(stages));
  }

  static constexpr std::size_t kNotSearched = ~std::size_t{0};

  CostModel& cost_;
  const IosSearchOptions& options_;
  const Progress& progress_;
  const std::function<void(const Schedule&)>& found_;
  StageSigner signer_;
  std::vector<IosPartSearch> searches_;
  std::vector<IosPart> open_;  ///< parts still to be enumerated, the next one last
  std::vector<Part> parts_;
  IosResult result_;
  std::int64_t asked_ = 0, next_estimate_ = kFirstEstimate;
  double asking_seconds_ = 0;
  Clock::time_point start_ = Clock::now(), reported_ = start_;
};

}  // namespace

IosResult ios_search(CostModel& cost, const IosSearchOptions& options, const Progress& progress,
                     const std::function<void(const Schedule&)>& found) {
  return Search(cost, options, progress, found).run();
}

IosResult ios_search(const SchedulerRequest& request, const IosSearchOptions& options,
                     const std::function<void(const Schedule&)>& found) {
  IosResult result = ios_search(request.cost, options, request.progress, found);
  if (result.stats.cuts > 0 && request.note)
    request.note("parts of the graph are too wide for one search and were cut in two " +
                 std::to_string(result.stats.cuts) + " times, into " + std::to_string(result.stats.parts) +
                 " parts; stages do not cross parts");
  return result;
}

}  // namespace opsched
