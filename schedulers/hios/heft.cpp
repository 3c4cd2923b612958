// HEFT: every operator on the device where it finishes first.
#include <algorithm>

#include "schedulers/hios/hios.hpp"
#include "schedulers/scheduler.hpp"
#include "schedulers/split/split_option.hpp"

namespace opsched {

DeviceOrders heft_orders(const HiosProblem& problem) {
  DeviceOrders orders(problem.devices());
  std::vector<double> start(problem.size(), 0.0);
  std::vector<int> device_of(problem.size(), -1);
  const auto end = [&](int v) { return start[v] + problem.ms(v); };
  for (int v = 0; v < problem.size(); ++v) {  // ascending LST is descending upward rank
    int best = -1;
    std::size_t best_position = 0;
    double best_start = 0;
    for (int device = 0; device < problem.devices(); ++device) {
      double arrival = 0;
      for (const auto [from, edge] : problem.preds(v))
        arrival = std::max(arrival, end(from) + problem.transfer(edge, device_of[from], device));
      // The first gap that is long enough; gaps before one that ends before the arrival are skipped.
      const std::vector<int>& order = orders[device];
      std::size_t position =
          std::ranges::partition_point(order, [&](int u) { return end(u) <= arrival; }) - order.begin();
      double earliest = arrival;
      for (; position < order.size() && start[order[position]] < earliest + problem.ms(v); ++position)
        earliest = std::max(earliest, end(order[position]));
      if (best >= 0 && earliest >= best_start) continue;
      best = device;
      best_position = position;
      best_start = earliest;
    }
    orders[best].insert(orders[best].begin() + static_cast<std::ptrdiff_t>(best_position), v);
    device_of[v] = best;
    start[v] = best_start;
  }
  return orders;
}

namespace {

Schedule make_heft(const SchedulerRequest& request) {
  const HiosProblem problem(request.cost, request.devices);
  return staged_or_alone(problem, heft_orders(problem), 1);
}

}  // namespace

SchedulerInfo heft_scheduler() {
  return with_split_option(
      {.name = "heft",
       .summary =
           "assigns every operator to the device where it finishes first, with insertion into gaps (HEFT, TPDS 2002)",
       .max_devices = 0,
       .options = {},
       .make = make_heft});
}

}  // namespace opsched
