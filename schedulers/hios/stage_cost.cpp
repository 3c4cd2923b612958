#include "schedulers/hios/stage_cost.hpp"

#include <algorithm>
#include <cmath>
#include <typeinfo>

#include "core/error.hpp"

namespace opsched {

namespace {

/// Models derived from SyntheticCost may define stages differently, so they do not count.
bool is_synthetic(const CostModel& cost) { return typeid(cost) == typeid(SyntheticCost); }

}  // namespace

StageCost::StageCost(const HiosProblem& problem, bool estimate)
    : problem_(&problem), estimate_(estimate), is_synthetic_(is_synthetic(problem.cost())) {
  if (is_synthetic_)
    for (int v = 0; v < problem.size(); ++v) busy_.push_back(problem.ms(v) * problem.cost().utilisation(problem.op(v)));
}

std::size_t StageCost::Hash::operator()(const std::vector<int>& ops) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15;
  for (int v : ops) hash = (hash ^ static_cast<std::uint64_t>(v)) * 0xff51afd7ed558ccd, hash ^= hash >> 32;
  return hash;
}

void StageCost::find_groups(std::span<const int> ops) {
  const int size = static_cast<int>(ops.size());
  group_.resize(size);
  for (int i = 0; i < size; ++i) group_[i] = i;
  for (int i = 0; i < size; ++i)
    for (const auto arc : problem_->preds(ops[i]))
      for (int j = 0; j < size; ++j) {
        if (ops[j] != arc.op || group_[j] == group_[i]) continue;
        const int keep = std::min(group_[i], group_[j]), drop = std::max(group_[i], group_[j]);
        for (int k = 0; k < size; ++k)
          if (group_[k] == drop) group_[k] = keep;
      }
}

double StageCost::synthetic(std::span<const int> ops) {
  find_groups(ops);
  length_.assign(ops.size(), 0.0);
  double work = 0, busy = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    work += problem_->ms(ops[i]);
    busy += busy_[ops[i]];
    length_[group_[i]] += problem_->ms(ops[i]);
  }
  return 0.5 * work + 0.5 * std::max(busy, *std::ranges::max_element(length_));
}

double StageCost::checked(double ms, const Stage& stage) const {
  if (ms >= 0 && std::isfinite(ms)) return ms;
  throw Error("operator '" + problem_->cost().graph().op(stage.groups[0][0]).name + "': a stage with it takes " +
              std::to_string(ms) + " ms; it must be a non-negative number");
}

double StageCost::operator()(std::span<const int> ops) {
  if (ops.size() == 1) return problem_->ms(ops[0]);
  if (is_synthetic_) return synthetic(ops);
  key_.assign(ops.begin(), ops.end());
  std::ranges::sort(key_);
  const auto [it, is_new] = known_.try_emplace(key_, 0.0);
  if (is_new) {
    CostModel& cost = problem_->cost();
    const Stage s = stage(key_);
    it->second = checked(estimate_ && !cost.stage_known(s) ? cost.estimate_stage_ms(s) : cost.stage_ms(s), s);
  }
  return it->second;
}

bool StageCost::confirm(std::span<const int> ops) {
  if (ops.size() == 1 || is_synthetic_) return false;
  const double before = (*this)(ops);
  const Stage s = stage(ops);
  return before != (known_[key_] = checked(problem_->cost().stage_ms(s), s));
}

Stage StageCost::stage(std::span<const int> ops) {
  std::vector<int> sorted(ops.begin(), ops.end());
  std::ranges::sort(sorted);
  find_groups(sorted);
  Stage stage;
  for (std::size_t g = 0; g < sorted.size(); ++g) {
    Group group;
    for (std::size_t i = g; i < sorted.size(); ++i)
      if (group_[i] == static_cast<int>(g)) group.push_back(problem_->op(sorted[i]));
    if (!group.empty()) stage.groups.push_back(std::move(group));
  }
  return stage;
}

}  // namespace opsched
