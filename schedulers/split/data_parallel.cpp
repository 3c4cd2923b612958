// Every operator is split by images over the devices: each device computes a share of the batch, as in data-parallel
// inference.
//
// The baseline against which other schedulers' gains at batch sizes above one are measured. On each device the images
// run as in a schedule for one device.
#include <algorithm>

#include "core/runtime/sim/simulate.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/scheduler.hpp"
#include "schedulers/split/spread.hpp"

namespace opsched {
namespace {

Schedule make_data_parallel(const SchedulerRequest& request) {
  const Graph& graph = request.cost.graph();
  const Schedule base = make_schedule("dataflow", {.cost = request.cost, .devices = 1, .options = request.options});
  Fastest choice(request.cost);
  choice.offer(base, simulated_ms(request.cost, request.cost.contention_law(), base));
  const int strips = std::min(request.devices, graph.batch());
  const Graph split = graph.with_splits(even_splits(graph, strips, Along::images));
  if (!split.splits().empty()) {
    const std::unique_ptr<CostModel> cost = request.cost.of(split);
    std::vector<int> device_of(split.size(), 0);  // joins of strips run on the first device
    for (OpId op = 0; op < split.size(); ++op) device_of[op] = std::max(0, split.strip(op));
    Schedule strips_of_images = spread(split, base, device_of, request.devices);
    const double ms = simulated_ms(*cost, cost->contention_law(), strips_of_images);
    choice.offer(std::move(strips_of_images), ms);
  }
  Schedule answer = choice.schedule();
  answer.scheduler.clear();
  return answer;
}

}  // namespace

SchedulerInfo data_parallel_scheduler() {
  return {.name = "data-parallel",
          .summary = "splits every operator by images over the devices, if that is faster than one device",
          .max_devices = 0,
          .options = {{"streams", "maximum number of streams per device, as in dataflow (default 16)"}},
          .make = make_data_parallel};
}

}  // namespace opsched
