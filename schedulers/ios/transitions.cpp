#include "schedulers/ios/transitions.hpp"

#include <algorithm>
#include <limits>

#include "schedulers/ios/explore.hpp"

namespace opsched {
namespace {

constexpr double kNoPath = std::numeric_limits<double>::infinity();
constexpr std::uint32_t kUnnumbered = 0xffffffff;

}  // namespace

void IosTransitions::add_state(std::uint32_t id) {
  order_.push_back({id, transitions_.size()});
  ids_ = std::max(ids_, id + 1);
}

std::vector<double> IosTransitions::solve(std::span<const double> ms, std::vector<std::size_t>* choice) const {
  // Smallest states first: the state that remains after a stage has already been solved.
  std::vector<double> cost(ids_);
  if (choice) choice->resize(cost.size());
  std::size_t end = transitions_.size();
  for (auto state = order_.rbegin(); state != order_.rend(); ++state) {
    double least = kNoPath;
    std::size_t last = state->first;
    for (std::size_t t = state->first; t < end; ++t) {
      const double sum = cost[transitions_[t].to] + ms[transitions_[t].stage];
      if (sum < least) {
        least = sum;
        last = t;
      }
    }
    cost[state->id] = least;
    if (choice) (*choice)[state->id] = last;
    end = state->first;
  }
  return cost;
}

IosTransitions::Path IosTransitions::best(std::span<const double> ms) const {
  std::vector<std::size_t> choice;
  Path path{.ms = order_.empty() ? kNoPath : solve(ms, &choice)[kWhole], .stages = {}};
  if (path.ms == kNoPath) return path;
  for (std::uint32_t at = kWhole; at != kNothing; at = transitions_[choice[at]].to)
    path.stages.push_back(static_cast<int>(transitions_[choice[at]].stage));
  std::ranges::reverse(path.stages);
  return path;
}

IosTransitions IosTransitions::within(std::span<const double> ms, double limit, std::vector<int>& stages) const {
  const std::vector<double> before = solve(ms, nullptr);
  std::vector<double> after(before.size(), kNoPath);
  std::vector<std::uint32_t> state_number(before.size(), kUnnumbered), stage_number(ms.size(), kUnnumbered);
  state_number[kNothing] = kNothing;
  state_number[kWhole] = kWhole;
  after[kWhole] = 0;
  stages.clear();
  IosTransitions kept;
  std::uint32_t numbered = 2;
  for (std::size_t s = 0; s < order_.size(); ++s) {
    const std::uint32_t from = order_[s].id;
    // Forward and backward sums differ in their last digits.
    if (!(after[from] + before[from] <= limit * (1 + 1e-12))) continue;
    kept.add_state(state_number[from]);
    const std::size_t end = end_of(s);
    for (std::size_t t = order_[s].first; t < end; ++t) {
      const auto [to, stage] = transitions_[t];
      const double rest = after[from] + ms[stage];
      if (!(before[to] + rest <= limit * (1 + 1e-12))) continue;
      after[to] = std::min(after[to], rest);
      if (state_number[to] == kUnnumbered) state_number[to] = numbered++;
      if (stage_number[stage] == kUnnumbered) {
        stage_number[stage] = static_cast<std::uint32_t>(stages.size());
        stages.push_back(static_cast<int>(stage));
      }
      kept.add(state_number[to], stage_number[stage]);
    }
  }
  return kept;
}

}  // namespace opsched
