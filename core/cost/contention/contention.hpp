// The contention model estimates unmeasured latencies from measured ones.
//
// Concurrent operators share the device as defined in contention_law.hpp. The utilisation of an operator is a
// logistic function of its features and solo latency, plus an individual correction if it was measured together
// with others. The parameters of the function, the corrections and the contention law are fitted to the measured
// stages, in logarithms, so that relative errors count. The latency of an unmeasured operator or merge is
// estimated from the most similar measured ones. It is never below the fastest measured kernel, because
// starting a kernel takes time.
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
  /// Fits to the stages of a profile for which `use` returns true (all if empty). Deterministic; takes a second or two
  /// for thousands of stages. Throws Error if the profile has no solo latency at all.
  static ContentionModel fit(const Profile& profile, const std::function<bool(const std::string& key)>& use = {});

  ContentionModel(ContentionModel&&) noexcept;
  ContentionModel& operator=(ContentionModel&&) noexcept;
  ~ContentionModel();

  /// Solo latency of an operator with this signature: measured if available, otherwise estimated.
  Task operator_task(const Operator& op, const std::string& signature, int batch) const;
  bool operator_measured(const std::string& signature, int batch) const;
  /// Convolutions merged into one. Never looked up in the profile.
  Task merged_task(std::span<const Operator> ops, int batch) const;
  /// Estimate of a stage by its key (signature.hpp), whether it was measured or not.
  double stage_ms(const std::string& key) const;

  const ContentionLaw& contention_law() const;

 private:
  struct State;
  explicit ContentionModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A measured stage, and the prediction of a model fitted without it.
struct StagePrediction {
  std::string key;
  double predicted = 0, measured = 0;  ///< ms
};

/// Accuracy of the model on stages that were left out of the fit.
struct FitReport {
  ErrorStats fitted;      ///< concurrent stages that were in the fit
  ErrorStats concurrent;  ///< concurrent stages, each left out once
  ErrorStats merge;       ///< merge stages, each left out once
  ErrorStats solo;        ///< operators, each left out once and estimated from similar ones
  ContentionLaw law;
  std::vector<StagePrediction> left_out;  ///< concurrent and merge stages, sorted by key
};

/// Fits `folds` times, each time leaving out one part of the stages. `progress` is called before each with its number,
/// from 0, and may throw to stop.
FitReport cross_validate(const Profile& profile, int folds = 5, const std::function<void(int)>& progress = {});

}  // namespace opsched
