// The option `split=rows` or `split=images`, for any scheduler over several devices.
#pragma once

#include "schedulers/scheduler.hpp"

namespace opsched {

/// The scheduler with one more option. `split=rows`, `split=images`: every operator that can be is split into a strip a
/// device, and strips are scheduled like other operators; the faster of that and of the schedule of whole operators.
SchedulerInfo with_split_option(SchedulerInfo info);

}  // namespace opsched
