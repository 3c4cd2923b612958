// Schedules of random CNNs, with costs, for tests of their timelines.
#pragma once

#include <gtest/gtest.h>

#include "tests/support/random_cnn.hpp"
#include "tests/support/random_graph.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched::test {

/// Calls `check` with each schedule and its costs, on 1 to 3 devices, in both modes.
template <class Check>
void for_random_schedules(Check check) {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const Graph graph = RandomCnn(seed).draw(3);
    TestCost cost(graph, seed);
    for (Mode mode : {Mode::barrier, Mode::dataflow}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + to_string(mode));
      check(cost, random_schedule(graph, 1 + static_cast<int>(seed % 3), mode, seed));
    }
  }
}

}  // namespace opsched::test
