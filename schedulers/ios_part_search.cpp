#include "schedulers/ios_part_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace opsched {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLeast = 1e-9;  // ms; keeps logarithms finite

}  // namespace

IosPartSearch::IosPartSearch(IosPart part, CostModel& cost, const IosOptions& options)
    : space_(std::move(part), options), residual_(space_.part().size()) {
  const int n = space_.stages();
  ms_.resize(n);
  known_.resize(n);
  for (int i = 0; i < n; ++i) {
    const Stage stage = space_.stage(i);
    known_[i] = cost.stage_known(stage);
    known_count_ += known_[i];
    if (known_[i]) ms_[i] = cost.stage_ms(stage);
  }
  if (known_count_ < n) estimate(cost);
}

void IosPartSearch::estimate(CostModel& cost) {
  lower_.resize(space_.stages());
  residual_ = ResidualModel(space_.part().size());
  for (int i = 0; i < space_.stages(); ++i) {
    const Stage stage = space_.stage(i);
    const double estimate = std::max(cost.estimate_stage_ms(stage), kLeast);
    if (known_[i]) {
      teach(i, estimate);
    } else {
      ms_[i] = estimate;
      lower_[i] = cost.stage_lower_bound_ms(stage);
    }
  }
}

void IosPartSearch::learn(int stage, double ms) {
  if (known_[stage]) return;
  known_[stage] = true;
  ++known_count_;
  const double estimate = std::exchange(ms_[stage], ms);
  teach(stage, estimate);
}

void IosPartSearch::teach(int stage, double estimate) {
  // An estimate that is the latency itself says nothing about those that are not.
  if (std::abs(ms_[stage] - estimate) <= 1e-6 * estimate) return;
  taught_ = true;
  residual_.add(space_, stage, std::log(std::max(ms_[stage], kLeast) / estimate));
}

std::vector<double> IosPartSearch::latencies(double deviations) {
  std::vector<double> ms = ms_;
  if (known_count_ == space_.stages()) return ms;
  if (taught_) residual_.fit();
  taught_ = false;
  const double shift = deviations * residual_.deviation();
  for (int i = 0; i < space_.stages(); ++i)
    if (!known_[i]) {
      const double factor = std::exp(residual_.mean(space_, i) + shift);
      ms[i] = std::max(lower_[i], ms[i] * factor);
    }
  return ms;
}

IosSpace::Path IosPartSearch::solve(double deviations) { return space_.best(latencies(deviations)); }

IosSpace::Path IosPartSearch::solve_known() const {
  std::vector<double> ms = ms_;
  for (int i = 0; i < space_.stages(); ++i)
    if (!known_[i]) ms[i] = kInfinity;
  return space_.best(ms);
}

std::int64_t IosPartSearch::candidates(double deviations, double ms) {
  const std::vector<double> through = space_.best_through(latencies(deviations));
  std::int64_t count = 0;
  for (int i = 0; i < space_.stages(); ++i) count += !known_[i] && through[i] < ms;
  return count;
}

}  // namespace opsched
