// CUPTI, loaded at run time, because only tracing needs it.
#pragma once

#include <cupti.h>

namespace opsched {

#define OPSCHED_CUPTI_FUNCTIONS(ADD)     \
  ADD(cuptiGetResultString)              \
  ADD(cuptiSubscribe)                    \
  ADD(cuptiUnsubscribe)                  \
  ADD(cuptiEnableCallback)               \
  ADD(cuptiGetGraphNodeId)               \
  ADD(cuptiActivityEnable)               \
  ADD(cuptiActivityDisable)              \
  ADD(cuptiActivityFlushAll)             \
  ADD(cuptiActivityGetNextRecord)        \
  ADD(cuptiActivityGetNumDroppedRecords) \
  ADD(cuptiActivityRegisterCallbacks)

/// CUPTI's functions under their own names: api.cuptiSubscribe(...).
struct CuptiApi {
#define OPSCHED_DECLARE(name) decltype(&::name) name = nullptr;
  OPSCHED_CUPTI_FUNCTIONS(OPSCHED_DECLARE)
#undef OPSCHED_DECLARE
};

/// The library itself, for functions that older versions lack; loaded as by cupti_api().
void* cupti_library();

/// Loads CUPTI once per process, from the loader's path or else from the toolkit of the build. Throws Error saying what
/// to install if there is none.
const CuptiApi& cupti_api();

/// Throws Error with the call and CUPTI's message unless `status` is success.
void cupti_check(CUptiResult status, const char* call);

}  // namespace opsched

/// OPSCHED_CUPTI(cuptiSubscribe(...)): calls through cupti_api() and checks.
#define OPSCHED_CUPTI(call) ::opsched::cupti_check(::opsched::cupti_api().call, #call)
