// The search space of one part, stored so that it can be solved repeatedly with different costs.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "schedulers/ios/part.hpp"
#include "schedulers/ios/transitions.hpp"

namespace opsched {

/// States and stages are numbered as explore() does.
class IosSpace {
 public:
  /// Throws Error if the part is too wide; 8 bytes per transition.
  IosSpace(IosPart part, const IosOptions& options);

  const IosPart& part() const { return part_; }
  std::int64_t states() const { return transitions_.states(); }
  std::int64_t transitions() const { return transitions_.size(); }
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

  /// States and stages are numbered as there.
  const IosTransitions& graph() const { return transitions_; }
  /// The cheapest schedule if a stage costs ms[stage]; infinity forbids a stage.
  IosTransitions::Path best(std::span<const double> ms) const { return transitions_.best(ms); }

 private:
  friend class SpaceBuilder;
  IosPart part_;
  IosTransitions transitions_;
  std::size_t words_ = 0;             ///< of a stage's set
  std::vector<std::uint64_t> sets_;   ///< by stage
  std::vector<Strategy> strategies_;  ///< by stage
};

}  // namespace opsched
