#include "schedulers/ios/part_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "core/cost/signature/signature.hpp"
#include "core/cost/signature/stage_kind.hpp"

namespace opsched {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLeast = 1e-9;  // ms; keeps logarithms finite
// How far narrow() looks: a fraction of the way from the most optimistic schedule to the best known one, but at least
// kBeyond above the former.
constexpr double kWay = 0.5, kBeyond = 0.01;

/// One operator_hash per vertex; in a model that is not structural, all operators differ.
std::vector<std::uint64_t> hashes(const IosPart& part, CostModel& cost) {
  std::vector<std::uint64_t> result;
  for (OpId op : part.ops)
    result.push_back(operator_hash(cost.structural() ? operator_signature(cost.graph(), op) : std::to_string(op)));
  return result;
}

/// Numbers the distinct hashes; equal hashes are one class.
std::vector<int> classes_of(const std::vector<std::uint64_t>& hashes) {
  std::unordered_map<std::uint64_t, int> numbers;
  std::vector<int> result;
  result.reserve(hashes.size());
  for (std::uint64_t hash : hashes)
    result.push_back(numbers.try_emplace(hash, static_cast<int>(numbers.size())).first->second);
  return result;
}

}  // namespace

IosPartSearch::IosPartSearch(IosPart part, CostModel& cost, const IosOptions& options)
    : cost_(&cost), space_(std::move(part), options), known_best_(kInfinity) {
  const int n = space_.stages();
  ms_.resize(n);
  known_.resize(n);
  const auto ask = [&](int i) {
    const Stage stage = space_.stage(i);
    if (!cost.stage_known(stage)) return;
    known_[i] = true;
    known_list_.push_back(i);
    ms_[i] = cost.stage_ms(stage);
  };
  if (cost.all_stages_known()) {
    for (int i = 0; i < n; ++i) ask(i);
  }
  if (static_cast<int>(known_list_.size()) < n) {
    const std::vector<std::uint64_t> hash = hashes(space_.part(), cost);
    class_ = classes_of(hash);
    kinds_.emplace(space_, cost.graph().batch(), hash);
    if (known_list_.empty())
      for (int k = 0; k < kinds_->size(); ++k)
        if (cost.kind_known(kinds_->hash(k)))
          for (int i : kinds_->stages(k)) ask(i);
  }
  known_count_ = static_cast<std::int64_t>(known_list_.size());
}

bool IosPartSearch::merged(int stage) const {
  if (space_.strategy(stage) != Strategy::merge) return false;
  int size = 0;
  space_.each_vertex(stage, [&](int) { ++size; });
  return size > 1;
}

std::span<const int> IosPartSearch::classes(int stage) {
  classes_.clear();
  space_.each_vertex(stage, [&](int v) { classes_.push_back(class_[v]); });
  return classes_;
}

void IosPartSearch::estimate() {
  const auto n = static_cast<std::size_t>(kinds_->size());
  estimate_.resize(n);
  lower_.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    const Stage stage = space_.stage(kinds_->example(static_cast<int>(k)));
    estimate_[k] = std::max(cost_->estimate_stage_ms(stage), kLeast);
    lower_[k] = cost_->stage_lower_bound_ms(stage);
  }
  residual_.emplace(1 + *std::ranges::max_element(class_), space_.part().size());
  for (int stage : known_list_) teach(stage);
  narrowed_ = false;
}

void IosPartSearch::learn(int stage, double ms) {
  const auto take = [&](int i) {
    known_[i] = true;
    known_list_.push_back(i);
    ++known_count_;
    ms_[i] = ms;
    if (!estimate_.empty()) teach(i);
  };
  if (known_[stage]) return;
  take(stage);
  ++learned_count_;
  if (!cost_->structural()) return;
  const int kind = kinds_->kind(stage);
  for (int i : near_stages_)
    if (!known_[i] && kinds_->kind(i) == kind && cost_->stage_known(space_.stage(i))) take(i);
}

void IosPartSearch::teach(int stage) {
  // An estimate equal to the latency says nothing about other stages.
  const double estimate = estimate_[kinds_->kind(stage)];
  if (std::abs(ms_[stage] - estimate) <= 1e-6 * estimate) return;
  taught_ = true;
  residual_->add(classes(stage), merged(stage), std::log(std::max(ms_[stage], kLeast) / estimate));
}

void IosPartSearch::prepare_guesses() {
  if (estimate_.empty()) estimate();
  if (taught_) residual_->fit();
  taught_ = false;
}

double IosPartSearch::guess(int kind, double deviations) {
  const int stage = kinds_->example(kind);
  const double log_factor = residual_->mean(classes(stage), merged(stage)) + deviations * residual_->deviation();
  return std::max(lower_[kind], estimate_[kind] * std::exp(log_factor));
}

std::vector<double> IosPartSearch::latencies(double deviations) {
  std::vector<double> ms = ms_;
  if (known_count_ == space_.stages()) return ms;
  prepare_guesses();
  std::vector<double> guesses(kinds_->size());
  for (int k = 0; k < kinds_->size(); ++k) guesses[k] = guess(k, deviations);
  for (int i = 0; i < space_.stages(); ++i)
    if (!known_[i]) ms[i] = guesses[kinds_->kind(i)];
  return ms;
}

IosTransitions::Path IosPartSearch::solve(double deviations) { return space_.best(latencies(deviations)); }

IosTransitions::Path IosPartSearch::solve_known() const {
  std::vector<double> ms = ms_;
  for (int i = 0; i < space_.stages(); ++i)
    if (!known_[i]) ms[i] = kInfinity;
  return space_.best(ms);
}

void IosPartSearch::narrow(double deviations) {
  known_best_ = std::min(known_best_, solve_known().ms);
  const std::vector<double> ms = latencies(deviations);
  const double hopeful = space_.best(ms).ms;
  near_limit_ = std::max((1 + kBeyond) * hopeful, hopeful + kWay * std::min(known_best_ - hopeful, hopeful));
  near_ = space_.graph().within(ms, near_limit_, near_stages_);
  narrowed_ = true;
}

std::vector<int> IosPartSearch::wanted(double deviations, double tolerance) {
  if (known_count_ == space_.stages()) return {};
  for (bool fresh = false;; fresh = true) {
    if (!narrowed_) {
      narrow(deviations);
      fresh = true;
    }
    prepare_guesses();
    std::vector<double> hopeful, known;
    std::unordered_map<int, double> guesses;
    for (int i : near_stages_) {
      known.push_back(known_[i] ? ms_[i] : kInfinity);
      if (known_[i]) {
        hopeful.push_back(ms_[i]);
      } else {
        const auto [it, missing] = guesses.try_emplace(kinds_->kind(i), 0.0);
        if (missing) it->second = guess(kinds_->kind(i), deviations);
        hopeful.push_back(it->second);
      }
    }
    known_best_ = std::min(known_best_, near_.best(known).ms);
    const IosTransitions::Path path = near_.best(hopeful);
    const bool settled = known_best_ <= (1 + tolerance) * path.ms;
    if (fresh && settled) return {};
    if (!settled && (fresh || path.ms <= near_limit_)) {
      std::vector<int> stages;
      for (int i : path.stages)
        if (!known_[near_stages_[i]]) stages.push_back(near_stages_[i]);
      return stages;
    }
    narrowed_ = false;
  }
}

}  // namespace opsched
