// The search space of one part, kept, so that it can be solved again and again under other costs.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "schedulers/ios_array.hpp"
#include "schedulers/ios_part.hpp"

namespace opsched {

/// States and stages are numbered as explore() does.
class IosSpace {
 public:
  /// Throws Error where the part is too wide; 8 bytes a transition.
  IosSpace(IosPart part, const IosOptions& options);

  const IosPart& part() const { return part_; }
  std::int64_t states() const { return static_cast<std::int64_t>(order_.size()); }
  std::int64_t transitions() const { return static_cast<std::int64_t>(transitions_.size()); }
  int stages() const { return static_cast<int>(strategies_.size()); }

  Strategy strategy(int stage) const { return strategies_[stage]; }
  /// Vertices of a stage, ascending.
  std::vector<int> vertices(int stage) const;
  /// Calls f(vertex) for each, ascending.
  template <class F>
  void each_vertex(int stage, F&& f) const {
    const std::uint64_t* words = &sets_[static_cast<std::size_t>(stage) * words_];
    for (std::size_t w = 0; w < words_; ++w)
      for (std::uint64_t bits = words[w]; bits; bits &= bits - 1) f(static_cast<int>(w) * 64 + std::countr_zero(bits));
  }
  Stage stage(int stage) const { return make_stage(part_, strategies_[stage], vertices(stage)); }

  struct Path {
    double ms = 0;
    std::vector<int> stages;  ///< in the order in which they run
  };
  /// The cheapest schedule where a stage costs ms[stage]; infinity forbids a stage. Path::ms is
  /// infinite, the list empty, if every schedule needs a forbidden one.
  Path best(std::span<const double> ms) const;
  /// By stage: the cheapest schedule that it is part of.
  std::vector<double> best_through(std::span<const double> ms) const;

 private:
  friend class SpaceBuilder;
  struct Transition {
    std::uint32_t to, stage;
  };
  struct State {
    std::uint32_t id;
    std::size_t first;  ///< of its transitions; they end where those of the next begin
  };

  /// Cheapest way to run everything in a state, by state; `choice`: by its last transition.
  std::vector<double> solve(std::span<const double> ms, std::vector<std::size_t>* choice) const;

  IosPart part_;
  std::vector<State> order_;  ///< largest first
  GrowingArray<Transition> transitions_;
  std::size_t words_ = 0;             ///< of a stage's set
  std::vector<std::uint64_t> sets_;   ///< by stage
  std::vector<Strategy> strategies_;  ///< by stage
};

}  // namespace opsched
