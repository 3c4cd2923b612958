// The two steps of HIOS (CLUSTER 2023, section IV) and HEFT, on flat arrays.
#pragma once

#include "schedulers/fastest.hpp"
#include "schedulers/hios/problem.hpp"
#include "schedulers/hios/stage_graph.hpp"

namespace opsched {

/// HIOS-LP, step 1: places longest paths one after another, each on the device where the schedule so
/// far gets no longer than on any other. Falls behind HEFT from about 8 devices on (docs/hios.md).
DeviceOrders hios_lp_orders(const HiosProblem& problem);

/// HIOS-MR, step 1: operators by LST; for each one and each device the shortest schedule so far that ends
/// with this operator on this device, of several alike the one whose operators end earliest in sum.
DeviceOrders hios_mr_orders(const HiosProblem& problem);

/// HEFT (Topcuoglu, Hariri, Wu: TPDS 2002): operators by upward rank, each where it finishes first,
/// in gaps, too.
DeviceOrders heft_orders(const HiosProblem& problem);

/// Everything on the first device, by LST.
DeviceOrders one_device_orders(const HiosProblem& problem);

/// The schedule of these orders, with step 2.
Candidate staged(const HiosProblem& problem, const DeviceOrders& orders, int width);

/// The same; or, where that is faster, the schedule that stays on one device. Not in HIOS or HEFT, where small
/// graphs with costly transfers end up slower on several devices than on one.
Schedule staged_or_alone(const HiosProblem& problem, const DeviceOrders& orders, int width);

/// HIOS on the first of the problem's devices, the others left idle.
Candidate on_one_device(const HiosProblem& problem, int width);

/// HIOS, step 2: a window of `width` operators slides over each device's order; independent operators in
/// it become one stage where the makespan does not grow, the most first.
void fuse_windows(StageGraph& graph, int width);

}  // namespace opsched
