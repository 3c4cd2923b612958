// The transitions between the states of an IOS search, and the cheapest path.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedulers/ios/array.hpp"

namespace opsched {

/// Built in the order of explore(): a state, then all its transitions, largest states first.
class IosTransitions {
 public:
  void add_state(std::uint32_t id);
  void add(std::uint32_t to, std::uint32_t stage) { transitions_.push_back({to, stage}); }

  std::int64_t states() const { return static_cast<std::int64_t>(order_.size()); }
  std::int64_t size() const { return static_cast<std::int64_t>(transitions_.size()); }

  struct Path {
    double ms = 0;
    std::vector<int> stages;  ///< in the order in which they run
  };
  /// The cheapest schedule if a stage costs ms[stage]; infinity forbids a stage. If every schedule needs a forbidden
  /// stage, Path::ms is infinite and the list is empty.
  Path best(std::span<const double> ms) const;

  /// The transitions on schedules of at most `limit`. Stages are renumbered; `stages` gets the old number of each.
  IosTransitions within(std::span<const double> ms, double limit, std::vector<int>& stages) const;

 private:
  struct Transition {
    std::uint32_t to, stage;
  };
  struct State {
    std::uint32_t id;
    std::size_t first;  ///< of its transitions; they end where those of the next begin
  };

  std::size_t end_of(std::size_t state) const {
    return state + 1 < order_.size() ? order_[state + 1].first : transitions_.size();
  }
  /// Cheapest way to run everything in a state, by state; `choice`: its last transition.
  std::vector<double> solve(std::span<const double> ms, std::vector<std::size_t>* choice) const;

  std::vector<State> order_;  ///< largest first
  std::uint32_t ids_ = 2;     ///< states have smaller numbers; the first two are kNothing and kWhole
  GrowingArray<Transition> transitions_;
};

}  // namespace opsched
