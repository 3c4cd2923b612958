#include "schedulers/scheduler.hpp"

namespace opsched {

// The list of schedulers, in display order. Each is a separate file that defines `SchedulerInfo NAME_scheduler()`;
// adding a scheduler takes that file and one line here.
#define OPSCHED_SCHEDULERS(ADD)  \
  ADD(sequential_scheduler)      \
  ADD(wavefront_scheduler)       \
  ADD(greedy_scheduler)          \
  ADD(dataflow_scheduler)        \
  ADD(dataflow_search_scheduler) \
  ADD(ios_merge_scheduler)       \
  ADD(ios_parallel_scheduler)    \
  ADD(ios_both_scheduler)        \
  ADD(ios_dataflow_scheduler)    \
  ADD(ios_verified_scheduler)    \
  ADD(hios_lp_scheduler)         \
  ADD(hios_mr_scheduler)         \
  ADD(hios_lp_inter_scheduler)   \
  ADD(hios_mr_inter_scheduler)   \
  ADD(heft_scheduler)            \
  ADD(reinsert_scheduler)        \
  ADD(split_scheduler)           \
  ADD(data_parallel_scheduler)   \
  ADD(exact_scheduler)

#define OPSCHED_DECLARE(function) SchedulerInfo function();
OPSCHED_SCHEDULERS(OPSCHED_DECLARE)

const std::vector<SchedulerInfo>& schedulers() {
#define OPSCHED_CALL(function) function(),
  static const std::vector<SchedulerInfo> list = {OPSCHED_SCHEDULERS(OPSCHED_CALL)};
  return list;
}

}  // namespace opsched
