// The contention model: latencies of what was never measured, from what was.
//
// Operators that run side by side share the device as contention_law.hpp says. How much of the device an
// operator keeps busy (its utilisation) is a logistic function of its features and solo latency, with a
// correction of its own where it was measured beside others; the function's parameters, the corrections
// and the contention law are fitted to the measured stages, in logarithms, so that relative errors count.
// An operator or merge that was never measured gets a latency from the most similar ones that were, but none less than
// the fastest kernel that was measured: starting one takes time, however little it does.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/cost/contention/contention_law.hpp"
#include "core/cost/contention/error_stats.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"

namespace opsched {

class ContentionModel {
 public:
  /// Fits to the stages of a profile for which `use` says yes; empty: all. Deterministic; a second or
  /// two for thousands of stages. Throws Error where the profile has no solo latency at all.
  static ContentionModel fit(const Profile& profile, const std::function<bool(const std::string& key)>& use = {});

  ContentionModel(ContentionModel&&) noexcept;
  ContentionModel& operator=(ContentionModel&&) noexcept;
  ~ContentionModel();

  /// An operator of this signature alone: its measured latency if there is one, else an estimate.
  Task operator_task(const Operator& op, const std::string& signature, int batch) const;
  bool operator_measured(const std::string& signature, int batch) const;
  /// Convolutions merged into one, never asked of the profile.
  Task merged_task(std::span<const Operator> ops, int batch) const;
  /// Estimate of a stage by its key (signature.hpp), without a look at whether it was measured.
  double stage_ms(const std::string& key) const;

  const ContentionLaw& contention_law() const;

 private:
  struct State;
  explicit ContentionModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A measured stage and what a model that never saw it said.
struct StagePrediction {
  std::string key;
  double predicted = 0, measured = 0;  ///< ms
};

/// How well the model does on stages that were not used to fit it.
struct FitReport {
  ErrorStats fitted;      ///< concurrent stages that the fit saw
  ErrorStats concurrent;  ///< concurrent stages, each left out once
  ErrorStats merge;       ///< merge stages, each left out once
  ErrorStats solo;        ///< operators, each left out once: estimated from similar ones
  ContentionLaw law;
  std::vector<StagePrediction> left_out;  ///< concurrent and merge stages, sorted by key
};

/// Fits `folds` times, each time without one part of the stages.
FitReport cross_validate(const Profile& profile, int folds = 5);

}  // namespace opsched
