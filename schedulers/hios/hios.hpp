// The two steps of HIOS (CLUSTER 2023, section IV), and HEFT, on flat arrays.
#pragma once

#include "schedulers/fastest.hpp"
#include "schedulers/hios/problem.hpp"
#include "schedulers/hios/stage_graph.hpp"

namespace opsched {

/// HIOS-LP, step 1: places longest paths one after another, each on the device where the partial schedule gets
/// shortest. Slower than HEFT from about 8 devices on (docs/hios.md).
DeviceOrders hios_lp_orders(const HiosProblem& problem);

/// HIOS-MR, step 1: operators by LST; for each operator and device, the shortest partial schedule that ends with this
/// operator on this device. Ties go to the smallest sum of operator end times.
DeviceOrders hios_mr_orders(const HiosProblem& problem);

/// HEFT (Topcuoglu, Hariri, Wu: TPDS 2002): operators by upward rank, each where it finishes first, including gaps.
DeviceOrders heft_orders(const HiosProblem& problem);

/// Everything on the first device, by LST.
DeviceOrders one_device_orders(const HiosProblem& problem);

/// The schedule with these orders, including step 2.
Candidate staged(const HiosProblem& problem, const DeviceOrders& orders, int width);

/// The same, or the schedule on one device if that is faster. Not part of HIOS or HEFT, which can be slower on several
/// devices than on one for small graphs with expensive transfers.
Schedule staged_or_alone(const HiosProblem& problem, const DeviceOrders& orders, int width);

/// HIOS on the first of the problem's devices; the others stay idle.
Candidate on_one_device(const HiosProblem& problem, int width);

/// HIOS, step 2: a window of `width` operators slides over each device's order. Independent operators in it become one
/// stage if the makespan does not grow, trying the largest stage first.
void fuse_windows(StageGraph& graph, int width);

}  // namespace opsched
