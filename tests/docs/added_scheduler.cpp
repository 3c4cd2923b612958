// Runs the schedulers of docs/adding_a_scheduler.md. Argument: how many schedulers the list must have.
#include <cstdlib>
#include <iostream>

#include "core/cost/bounds.hpp"
#include "core/cost/evaluate.hpp"
#include "core/error.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/test_cost.hpp"

using namespace opsched;

int main(int argc, char** argv) try {
  const std::size_t expected = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (schedulers().size() != expected)
    throw Error("the list has " + std::to_string(schedulers().size()) + " schedulers");
  for (const Graph& graph : test::every_shape(1)) {
    test::TestCost cost(graph);
    const Schedule schedule =
        make_schedule("longest-first", {.cost = cost, .devices = 1, .options = {{"width", "3"}}, .progress = {}});
    for (const Stage& stage : schedule.devices[0].stages)
      if (stage.groups.size() > 3) throw Error("the option was not heard");
    if (evaluate(cost, schedule).makespan < lower_bounds(cost, 1).lower()) throw Error("below the bound");
    for (int devices = 1; devices <= 3; ++devices) {
      test::TestCost costs(graph);
      const Schedule dealt =
          make_schedule("round-robin", {.cost = costs, .devices = devices, .options = {}, .progress = {}});
      const std::size_t operators = graph.units().size();
      for (int d = 0; d < devices && d < static_cast<int>(operators); ++d)
        if (dealt.devices[d].stages.empty()) throw Error("a device got nothing");
    }
  }
  return 0;
} catch (const Error& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
