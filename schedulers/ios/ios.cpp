// ios-merge, ios-parallel, ios-both: the schedulers of the IOS paper.
#include "core/error.hpp"
#include "schedulers/ios/search.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

constexpr int kPatience = 200;
// Transitions that are enumerated in a second or two, in a few hundred megabytes.
constexpr std::int64_t kSplit = 40'000'000;

SchedulerInfo info(const std::string& name, const std::string& summary, bool concurrent, bool merge) {
  return {.name = name,
          .summary = summary,
          .max_devices = 1,
          .options = ios_option_texts(),
          .make = [concurrent, merge](const SchedulerRequest& request) {
            IosSearchOptions options = ios_search_options(request.options);
            options.space.concurrent = concurrent;
            options.space.merge = merge;
            const IosResult result = ios_search(request, options, request.found);
            if (result.stats.gave_up && request.progress)
              request.progress("stopped early: stages add up to " + std::to_string(result.ms) +
                               " ms, others perhaps to " + std::to_string(result.bound_ms) + " ms");
            return result.schedule;
          }};
}

}  // namespace

std::map<std::string, std::string> ios_option_texts() {
  return {
      {"r", "maximum number of operators in a group, or unlimited (3)"},
      {"s", "maximum number of groups in a stage, or unlimited (8)"},
      {"enumeration", "allowed endings: single-source (as in the paper's code) or components (as in its text)"},
      {"max-part-size",
       "divide a block without parts into runs of this many operators, and smaller ones where it is too wide (100)"},
      {"tolerance", "stop measuring when the schedule is within this fraction of the best possible one (0.01)"},
      {"max-measured", "maximum number of stages to measure, or unlimited (unlimited)"},
      {"patience", "stop a part after measuring this many stages with a gain below the tolerance, or unlimited (200)"},
      {"exhaustive", "yes: measure every stage (no)"},
  };
}

IosSearchOptions ios_search_options(const SchedulerOptions& options) {
  const OptionReader reader(options);
  IosSearchOptions result;
  result.space.group_size = reader.limit("r", result.space.group_size, 1);
  result.space.groups = reader.limit("s", result.space.groups, 1);
  result.space.enumeration = parse_enumeration(
      reader.choice("enumeration", to_string(result.space.enumeration), {"single-source", "components"}));
  result.space.max_part_size = reader.integer("max-part-size", result.space.max_part_size, 1);
  result.max_measured = reader.limit("max-measured", kUnlimited, 0);
  result.patience = reader.limit("patience", kPatience, 1);
  result.tolerance = reader.real("tolerance", result.tolerance, 0);
  result.split_transitions = kSplit;
  result.exhaustive = reader.choice("exhaustive", "no", {"yes", "no"}) == "yes";
  return result;
}

SchedulerInfo ios_merge_scheduler() {
  return info("ios-merge", "IOS's dynamic program, merged convolutions only (MLSys 2021)", false, true);
}

SchedulerInfo ios_parallel_scheduler() {
  return info("ios-parallel", "IOS's dynamic program, concurrent stages only (MLSys 2021)", true, false);
}

SchedulerInfo ios_both_scheduler() {
  return info("ios-both", "IOS's dynamic program, concurrent and merged stages (MLSys 2021)", true, true);
}

}  // namespace opsched
