// CUPTI, found at run time: programs that do not trace need none.
#pragma once

#include <cupti.h>
#if __has_include(<cupti_pmsampling.h>)
#include <cupti_pmsampling.h>
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_target.h>
#define OPSCHED_CUPTI_PM_SAMPLING 1
#endif

namespace opsched {

#define OPSCHED_CUPTI_TRACING(ADD)       \
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

#ifdef OPSCHED_CUPTI_PM_SAMPLING
#define OPSCHED_CUPTI_SAMPLING(ADD)              \
  ADD(cuptiProfilerInitialize)                   \
  ADD(cuptiProfilerDeInitialize)                 \
  ADD(cuptiDeviceGetChipName)                    \
  ADD(cuptiProfilerHostInitialize)               \
  ADD(cuptiProfilerHostDeinitialize)             \
  ADD(cuptiProfilerHostConfigAddMetrics)         \
  ADD(cuptiProfilerHostGetConfigImageSize)       \
  ADD(cuptiProfilerHostGetConfigImage)           \
  ADD(cuptiProfilerHostGetNumOfPasses)           \
  ADD(cuptiProfilerHostEvaluateToGpuValues)      \
  ADD(cuptiPmSamplingGetCounterAvailability)     \
  ADD(cuptiPmSamplingEnable)                     \
  ADD(cuptiPmSamplingDisable)                    \
  ADD(cuptiPmSamplingSetConfig)                  \
  ADD(cuptiPmSamplingStart)                      \
  ADD(cuptiPmSamplingStop)                       \
  ADD(cuptiPmSamplingDecodeData)                 \
  ADD(cuptiPmSamplingGetCounterDataSize)         \
  ADD(cuptiPmSamplingCounterDataImageInitialize) \
  ADD(cuptiPmSamplingGetCounterDataInfo)         \
  ADD(cuptiPmSamplingCounterDataGetSampleInfo)
#else
#define OPSCHED_CUPTI_SAMPLING(ADD)
#endif

/// CUPTI's functions under their own names: api.cuptiSubscribe(...).
struct CuptiApi {
#define OPSCHED_DECLARE(name) decltype(&::name) name = nullptr;
  OPSCHED_CUPTI_TRACING(OPSCHED_DECLARE)
  OPSCHED_CUPTI_SAMPLING(OPSCHED_DECLARE)
#undef OPSCHED_DECLARE
};

/// Loads CUPTI, once a process: from where the loader looks, else from the toolkit that this was built
/// with. Throws Error saying what to install where there is none. Functions that sample counters may be
/// missing from an older library: then they are null.
const CuptiApi& cupti_api();

/// Throws Error with the call and CUPTI's message unless `status` is success.
void cupti_check(CUptiResult status, const char* call);

}  // namespace opsched

/// OPSCHED_CUPTI(cuptiSubscribe(...)): calls through cupti_api() and checks.
#define OPSCHED_CUPTI(call) ::opsched::cupti_check(::opsched::cupti_api().call, #call)
