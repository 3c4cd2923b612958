// The option `split=rows` or `split=images`, for any scheduler over several devices.
#pragma once

#include "schedulers/scheduler.hpp"

namespace opsched {

/// The scheduler with one more option. `split=rows`, `split=images`: every operator that can be split is split into
/// one strip per device, and strips are scheduled like other operators. The result is the faster of this schedule and
/// the one with whole operators.
SchedulerInfo with_split_option(SchedulerInfo info);

}  // namespace opsched
