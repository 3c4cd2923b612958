// Happens-before of steps, as bit sets.
#pragma once

#include <boost/dynamic_bitset.hpp>
#include <span>
#include <vector>

#include "core/runtime/program/waits.hpp"

namespace opsched {

/// A partial order that is built step by step: every step comes after some earlier ones and all their predecessors.
class Order {
 public:
  /// Appends a step that happens after these earlier steps; returns its index.
  int add(std::span<const int> after);
  int size() const { return static_cast<int>(ancestors_.size()); }
  /// Does step a end before step b begins?
  bool before(int a, int b) const { return a < b && ancestors_[b].test(a); }
  /// Bit a is before(a, b); there are b of them.
  const boost::dynamic_bitset<>& ancestors(int b) const { return ancestors_[b]; }
  /// Those of `after` that are not implied by others, ascending and without duplicates.
  std::vector<int> reduced(std::vector<int> after) const;

 private:
  std::vector<boost::dynamic_bitset<>> ancestors_;
};

struct Program;
/// For each step, those that it directly follows: the steps that it waits for, and its predecessor on the stream.
std::vector<std::vector<int>> direct_predecessors(const Program& program);
/// The order that a program's streams and waits give its steps. Throws Error if a step waits for a
/// later one.
Order order_of(const Program& program);
/// Sets the waits of all steps, and returns their order. Every step comes after those that write what it reads, and
/// after the steps `after`, listed by step.
Order set_waits(Program& program, std::span<const std::vector<int>> after, Waits waits);

}  // namespace opsched
