// The list of schedulers: to add one, declare its function and add a line.
#include "schedulers/scheduler.hpp"

namespace opsched {

SchedulerInfo sequential_scheduler();

const std::vector<SchedulerInfo>& schedulers() {
  static const std::vector<SchedulerInfo> list = {
      sequential_scheduler(),
  };
  return list;
}

}  // namespace opsched
