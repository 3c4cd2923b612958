// HIOS, step 2: concurrent stages within each device, and the schedulers made of the two steps.
#include <utility>

#include "core/cost/evaluate.hpp"
#include "schedulers/hios/hios.hpp"
#include "schedulers/options.hpp"
#include "schedulers/scheduler.hpp"
#include "schedulers/split/split_option.hpp"

namespace opsched {

void fuse_windows(StageGraph& graph, int width) {
  std::vector<int> window;
  for (int device = 0; device < graph.devices(); ++device)
    for (int s = graph.first(device); s >= 0; s = graph.node(s).next) {
      window.clear();
      for (int t = s; t >= 0 && static_cast<int>(window.size()) < width; t = graph.node(t).next) window.push_back(t);
      while (window.size() > 1 && !graph.fuse(window)) window.pop_back();
    }
}

DeviceOrders one_device_orders(const HiosProblem& problem) {
  DeviceOrders orders(problem.devices());
  for (int v = 0; v < problem.size(); ++v) orders[0].push_back(v);
  return orders;
}

Candidate staged(const HiosProblem& problem, const DeviceOrders& orders, int width) {
  StageCost cost(problem);
  StageGraph graph(problem, cost);
  graph.assign(orders);
  fuse_windows(graph, width);
  Candidate placed{graph.schedule(), graph.makespan()};
  placed.makespan += further_devices_ms(problem.cost().contention_law(), placed.schedule);
  return placed;
}

Schedule staged_or_alone(const HiosProblem& problem, const DeviceOrders& orders, int width) {
  Candidate placed = staged(problem, orders, width);
  // If the makespan is at most the total work, one device cannot do better. Measured stages may beat that bound.
  double work = 0;
  for (int v = 0; v < problem.size(); ++v) work += width == 1 ? problem.ms(v) : problem.cost().work_ms(problem.op(v));
  if (problem.devices() == 1 || (problem.cost().bounds_hold() && placed.makespan <= work)) return placed.schedule;
  return fastest(problem.cost(), {std::move(placed), on_one_device(problem, width)});
}

Candidate on_one_device(const HiosProblem& problem, int width) {
  const HiosProblem single(problem.cost(), 1);  // LST without transfers
  Candidate alone = staged(single, one_device_orders(single), width);
  alone.schedule.devices.resize(problem.devices());
  return alone;
}

namespace {

using FirstStep = DeviceOrders (*)(const HiosProblem&);

/// A window of 1 skips the second step.
Schedule make_hios(const SchedulerRequest& request, FirstStep place, int window) {
  const HiosProblem problem(request.cost, request.devices);
  return staged_or_alone(problem, place(problem), window);
}

SchedulerInfo inter_gpu(std::string name, std::string summary, FirstStep place) {
  return with_split_option({.name = std::move(name),
                            .summary = std::move(summary),
                            .max_devices = 0,
                            .options = {},
                            .make = [place](const SchedulerRequest& request) { return make_hios(request, place, 1); }});
}

SchedulerInfo full(std::string name, std::string summary, FirstStep place) {
  return with_split_option(
      {.name = std::move(name),
       .summary = std::move(summary),
       .max_devices = 0,
       .options = {{"window", "size of the sliding window: maximum number of operators in a stage (default 2)"}},
       .make = [place](const SchedulerRequest& request) {
         return make_hios(request, place, OptionReader(request.options).integer("window", 2, 1));
       }});
}

}  // namespace

SchedulerInfo hios_lp_scheduler() {
  return full("hios-lp",
              "assigns longest paths to devices, then forms concurrent stages with a sliding window (HIOS-LP)",
              hios_lp_orders);
}

SchedulerInfo hios_mr_scheduler() {
  return full("hios-mr", "mapping recording, then concurrent stages with a sliding window (HIOS-MR)", hios_mr_orders);
}

SchedulerInfo hios_lp_inter_scheduler() {
  return inter_gpu("hios-lp-inter", "the first step of hios-lp: assigns longest paths to devices", hios_lp_orders);
}

SchedulerInfo hios_mr_inter_scheduler() {
  return inter_gpu("hios-mr-inter", "the first step of hios-mr: mapping recording", hios_mr_orders);
}

}  // namespace opsched
