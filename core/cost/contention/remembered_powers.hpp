// Powers for a fit, which simulates many stages with the same operators.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/cost/contention/contention_law.hpp"

namespace opsched {

/// Numbers of at least 0 raised to one exponent. Remembers results, because std::pow is slow.
class RememberedPower {
 public:
  explicit RememberedPower(double exponent) : exponent_(exponent) {}
  double operator()(double x) {
    Entry& entry = entries_[(std::bit_cast<std::uint64_t>(x) * 0x9e3779b97f4a7c15) >> (64 - kBits)];
    if (entry.x != x) entry = {x, std::pow(x, exponent_)};
    return entry.power;
  }

 private:
  static constexpr int kBits = 12;  // entries fit into a processor's cache
  struct Entry {
    double x = 1, power = 1;
  };
  double exponent_;
  std::vector<Entry> entries_ = std::vector<Entry>(std::size_t{1} << kBits);
};

/// What concurrent_ms needs of a law with a finite exponent.
struct RememberedPowers {
  explicit RememberedPowers(const ContentionLaw& law) : power(law.exponent), root(1 / law.exponent) {}
  RememberedPower power, root;
};

/// The same result as without `powers`, which are those of the law.
double concurrent_ms(std::span<const std::vector<int>> groups, std::span<const PoweredTask> tasks,
                     const ContentionLaw& law, RememberedPowers& powers);

}  // namespace opsched
