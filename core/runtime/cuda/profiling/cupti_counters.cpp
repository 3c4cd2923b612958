#include "core/runtime/cuda/profiling/cupti_counters.hpp"

#include <cstdint>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/profiling/cupti_api.hpp"

#if __has_include(<cupti_pmsampling.h>)
#include <cupti_pmsampling.h>
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_target.h>
#include <dlfcn.h>
#endif

namespace opsched {

#if __has_include(<cupti_pmsampling.h>)

namespace {

constexpr const char* kMetric = "sm__warps_active.avg.per_cycle_elapsed";
constexpr std::uint64_t kInterval = 1000;  // ns
constexpr std::uint32_t kMaxSamples = 1 << 17;
constexpr std::size_t kHardwareBuffer = std::size_t{256} << 20;  // bytes

/// Undoes a step when the scope ends, however it ends.
class Finally {
 public:
  explicit Finally(std::function<void()> undo) : undo_(std::move(undo)) {}
  ~Finally() { undo_(); }
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;

 private:
  std::function<void()> undo_;
};

void check(CUptiResult status, const char* function) {
  if (status == CUPTI_ERROR_INSUFFICIENT_PRIVILEGES || status == CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES)
    throw Error(
        "the driver does not allow performance counters for this user (ERR_NVGPUCTRPERM): run as root, or load the "
        "driver with NVreg_RestrictProfilingToAdminUsers=0; without --counters, warps are derived from activity "
        "records");
  cupti_check(status, function);
}

/// Calls a CUPTI function by name with its parameters, and sets their structSize and pPriv.
template <typename Params>
Params& call(const char* name, CUptiResult (*)(Params*), std::size_t size, Params& params) {
  auto* function = reinterpret_cast<CUptiResult (*)(Params*)>(dlsym(cupti_library(), name));
  if (!function) throw Error(std::string("counters need the CUPTI of CUDA 12.6 or newer: this one has no ") + name);
  params.structSize = size;
  check(function(&params), name);
  return params;
}
#define OPSCHED_CALL(function, type, params) call(#function, &::function, type##_STRUCT_SIZE, params)

std::string chip_name(int gpu) {
  CUpti_Device_GetChipName_Params params{};
  params.deviceIndex = static_cast<std::size_t>(gpu);
  return OPSCHED_CALL(cuptiDeviceGetChipName, CUpti_Device_GetChipName_Params, params).pChipName;
}

std::vector<std::uint8_t> available_counters(int gpu) {
  CUpti_PmSampling_GetCounterAvailability_Params params{};
  params.deviceIndex = static_cast<std::size_t>(gpu);
  OPSCHED_CALL(cuptiPmSamplingGetCounterAvailability, CUpti_PmSampling_GetCounterAvailability_Params, params);
  std::vector<std::uint8_t> image(params.counterAvailabilityImageSize);
  params.pCounterAvailabilityImage = image.data();
  OPSCHED_CALL(cuptiPmSamplingGetCounterAvailability, CUpti_PmSampling_GetCounterAvailability_Params, params);
  return image;
}

std::vector<std::uint8_t> configuration(CUpti_Profiler_Host_Object* host, const char* metric) {
  CUpti_Profiler_Host_ConfigAddMetrics_Params add{};
  add.pHostObject = host;
  add.ppMetricNames = &metric;
  add.numMetrics = 1;
  OPSCHED_CALL(cuptiProfilerHostConfigAddMetrics, CUpti_Profiler_Host_ConfigAddMetrics_Params, add);
  CUpti_Profiler_Host_GetConfigImageSize_Params size{};
  size.pHostObject = host;
  OPSCHED_CALL(cuptiProfilerHostGetConfigImageSize, CUpti_Profiler_Host_GetConfigImageSize_Params, size);
  std::vector<std::uint8_t> image(size.configImageSize);
  CUpti_Profiler_Host_GetConfigImage_Params get{};
  get.pHostObject = host;
  get.configImageSize = image.size();
  get.pConfigImage = image.data();
  OPSCHED_CALL(cuptiProfilerHostGetConfigImage, CUpti_Profiler_Host_GetConfigImage_Params, get);
  return image;
}

std::vector<std::uint8_t> room_for_samples(CUpti_PmSampling_Object* sampling, const char* metric) {
  CUpti_PmSampling_GetCounterDataSize_Params size{};
  size.pPmSamplingObject = sampling;
  size.pMetricNames = &metric;
  size.numMetrics = 1;
  size.maxSamples = kMaxSamples;
  OPSCHED_CALL(cuptiPmSamplingGetCounterDataSize, CUpti_PmSampling_GetCounterDataSize_Params, size);
  std::vector<std::uint8_t> image(size.counterDataSize);
  CUpti_PmSampling_CounterDataImage_Initialize_Params initialize{};
  initialize.pPmSamplingObject = sampling;
  initialize.counterDataSize = image.size();
  initialize.pCounterData = image.data();
  OPSCHED_CALL(cuptiPmSamplingCounterDataImageInitialize, CUpti_PmSampling_CounterDataImage_Initialize_Params,
               initialize);
  return image;
}

/// Totals over all samples, including idle ones before and after; times in ns.
struct Counted {
  std::uint64_t begin = 0, end = 0;
  double warps = 0;
};

std::vector<Counted> decoded(CUpti_PmSampling_Object* sampling, CUpti_Profiler_Host_Object* host, const char* metric,
                             std::vector<std::uint8_t>& image) {
  CUpti_PmSampling_DecodeData_Params decode{};
  decode.pPmSamplingObject = sampling;
  decode.pCounterDataImage = image.data();
  decode.counterDataImageSize = image.size();
  OPSCHED_CALL(cuptiPmSamplingDecodeData, CUpti_PmSampling_DecodeData_Params, decode);
  if (decode.overflow || decode.decodeStopReason == CUPTI_PM_SAMPLING_DECODE_STOP_REASON_COUNTER_DATA_FULL)
    throw Error("the run is too long to sample every microsecond: use a single block, or omit --counters");
  CUpti_PmSampling_GetCounterDataInfo_Params info{};
  info.pCounterDataImage = image.data();
  info.counterDataImageSize = image.size();
  OPSCHED_CALL(cuptiPmSamplingGetCounterDataInfo, CUpti_PmSampling_GetCounterDataInfo_Params, info);
  std::vector<Counted> samples(info.numCompletedSamples);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    CUpti_PmSampling_CounterData_GetSampleInfo_Params when{};
    when.pPmSamplingObject = sampling;
    when.pCounterDataImage = image.data();
    when.counterDataImageSize = image.size();
    when.sampleIndex = i;
    OPSCHED_CALL(cuptiPmSamplingCounterDataGetSampleInfo, CUpti_PmSampling_CounterData_GetSampleInfo_Params, when);
    CUpti_Profiler_Host_EvaluateToGpuValues_Params value{};
    value.pHostObject = host;
    value.pCounterDataImage = image.data();
    value.counterDataImageSize = image.size();
    value.rangeIndex = i;
    value.ppMetricNames = &metric;
    value.numMetrics = 1;
    value.pMetricValues = &samples[i].warps;
    OPSCHED_CALL(cuptiProfilerHostEvaluateToGpuValues, CUpti_Profiler_Host_EvaluateToGpuValues_Params, value);
    samples[i].begin = when.startTimestamp;
    samples[i].end = when.endTimestamp;
  }
  return samples;
}

std::vector<WarpSample> without_idle_ends(const std::vector<Counted>& all) {
  std::size_t first = 0, last = all.size();
  while (first < last && all[first].warps <= 0) ++first;
  while (last > first && all[last - 1].warps <= 0) --last;
  if (first == last) throw Error("no active warp was counted in " + std::to_string(all.size()) + " samples");
  const auto ms = [&](std::uint64_t ns) { return static_cast<double>(ns - all[first].begin) * 1e-6; };
  std::vector<WarpSample> samples;
  for (std::size_t i = first; i < last; ++i) samples.push_back({ms(all[i].begin), all[i].warps});
  samples.push_back({ms(all[last - 1].end), 0});
  return samples;
}

}  // namespace

std::vector<WarpSample> count_warps(int gpu, const std::function<void()>& run) {
  const char* metric = kMetric;
  CUpti_Profiler_Initialize_Params start_profiler{};
  OPSCHED_CALL(cuptiProfilerInitialize, CUpti_Profiler_Initialize_Params, start_profiler);
  const Finally end_profiler([] {
    CUpti_Profiler_DeInitialize_Params params{CUpti_Profiler_DeInitialize_Params_STRUCT_SIZE, nullptr};
    if (void* function = dlsym(cupti_library(), "cuptiProfilerDeInitialize"))
      reinterpret_cast<decltype(&cuptiProfilerDeInitialize)>(function)(&params);
  });

  const std::string chip = chip_name(gpu);
  const std::vector<std::uint8_t> available = available_counters(gpu);
  CUpti_Profiler_Host_Initialize_Params host{};
  host.profilerType = CUPTI_PROFILER_TYPE_PM_SAMPLING;
  host.pChipName = chip.c_str();
  host.pCounterAvailabilityImage = available.data();
  OPSCHED_CALL(cuptiProfilerHostInitialize, CUpti_Profiler_Host_Initialize_Params, host);
  const Finally end_host([&] {
    CUpti_Profiler_Host_Deinitialize_Params params{CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE, nullptr,
                                                   host.pHostObject};
    if (void* function = dlsym(cupti_library(), "cuptiProfilerHostDeinitialize"))
      reinterpret_cast<decltype(&cuptiProfilerHostDeinitialize)>(function)(&params);
  });
  const std::vector<std::uint8_t> config = configuration(host.pHostObject, metric);

  CUpti_PmSampling_Enable_Params enable{};
  enable.deviceIndex = static_cast<std::size_t>(gpu);
  OPSCHED_CALL(cuptiPmSamplingEnable, CUpti_PmSampling_Enable_Params, enable);
  CUpti_PmSampling_Object* sampling = enable.pPmSamplingObject;
  const Finally disable([&] {
    CUpti_PmSampling_Disable_Params params{CUpti_PmSampling_Disable_Params_STRUCT_SIZE, nullptr, sampling};
    if (void* function = dlsym(cupti_library(), "cuptiPmSamplingDisable"))
      reinterpret_cast<decltype(&cuptiPmSamplingDisable)>(function)(&params);
  });
  CUpti_PmSampling_SetConfig_Params set{};
  set.pPmSamplingObject = sampling;
  set.configSize = config.size();
  set.pConfig = config.data();
  set.hardwareBufferSize = kHardwareBuffer;
  set.samplingInterval = kInterval;
  set.triggerMode = CUPTI_PM_SAMPLING_TRIGGER_MODE_GPU_TIME_INTERVAL;
  set.hwBufferAppendMode = CUPTI_PM_SAMPLING_HARDWARE_BUFFER_APPEND_MODE_KEEP_OLDEST;
  OPSCHED_CALL(cuptiPmSamplingSetConfig, CUpti_PmSampling_SetConfig_Params, set);
  std::vector<std::uint8_t> image = room_for_samples(sampling, metric);

  CUpti_PmSampling_Start_Params start{};
  start.pPmSamplingObject = sampling;
  OPSCHED_CALL(cuptiPmSamplingStart, CUpti_PmSampling_Start_Params, start);
  run();
  CUpti_PmSampling_Stop_Params stop{};
  stop.pPmSamplingObject = sampling;
  OPSCHED_CALL(cuptiPmSamplingStop, CUpti_PmSampling_Stop_Params, stop);
  return without_idle_ends(decoded(sampling, host.pHostObject, metric, image));
}

#else

std::vector<WarpSample> count_warps(int, const std::function<void()>&) {
  throw Error("this build cannot read counters: it was built with a CUDA toolkit older than 12.6");
}

#endif

}  // namespace opsched
