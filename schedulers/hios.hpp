// The two steps of HIOS (CLUSTER 2023, section IV) and HEFT, on flat arrays.
#pragma once

#include "schedulers/hios_problem.hpp"
#include "schedulers/stage_graph.hpp"

namespace opsched {

/// HIOS-LP, step 1: places longest paths one after another, each on the device where the schedule so
/// far gets no longer than on any other.
DeviceOrders hios_lp_orders(const HiosProblem& problem);

/// HIOS-MR, step 1: operators by LST; for each one and each device the best schedule so far that ends
/// with this operator on this device.
DeviceOrders hios_mr_orders(const HiosProblem& problem);

/// HEFT (Topcuoglu, Hariri, Wu: TPDS 2002): operators by upward rank, each where it finishes first,
/// in gaps, too.
DeviceOrders heft_orders(const HiosProblem& problem);

/// Everything on the first device, by LST.
DeviceOrders one_device_orders(const HiosProblem& problem);

/// HIOS, step 2: a window of `width` operators slides over each device's order; independent operators in
/// it become one stage where the makespan does not grow, the most first.
void fuse_windows(StageGraph& graph, int width);

}  // namespace opsched
