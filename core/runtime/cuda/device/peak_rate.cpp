#include "core/runtime/cuda/device/peak_rate.hpp"

#include "core/runtime/cuda/device/cuda_handles.hpp"

namespace opsched {
namespace {

/// Peak multiply-accumulates per multiprocessor and clock cycle.
double macs_per_clock(int capability, Precision precision) {
  const bool hopper = capability >= 90, consumer = capability == 86 || capability == 89;
  switch (precision) {
    case Precision::fp32:
      return capability == 80 ? 64 : 128;
    case Precision::tf32x3:
      return macs_per_clock(capability, Precision::tf32) / 3;
    case Precision::tf32:
      return hopper ? 1024 : consumer ? 256 : 512;
    case Precision::fp16:
      return hopper ? 2048 : consumer ? 512 : 1024;
  }
  return 0;
}

}  // namespace

double peak_macs_per_ms(int gpu, Precision precision) {
  const int capability = 10 * device_attribute(cudaDevAttrComputeCapabilityMajor, gpu) +
                         device_attribute(cudaDevAttrComputeCapabilityMinor, gpu);
  const double clocks_per_ms = device_attribute(cudaDevAttrClockRate, gpu);  // in kHz
  return macs_per_clock(capability, precision) * device_attribute(cudaDevAttrMultiProcessorCount, gpu) * clocks_per_ms;
}

}  // namespace opsched
