#include "core/runtime/cuda/device/clock_monitor.hpp"

#include <algorithm>

#include "core/runtime/cuda/device/nvml_library.hpp"

namespace opsched {
namespace {

// Values from NVIDIA's NVML API reference.
constexpr int kClockSm = 1, kClockMemory = 2;
constexpr unsigned long long kSlowed = 0x04 | 0x08 | 0x20 | 0x40 | 0x80;  // power cap, slowdowns, thermal

}  // namespace

struct ClockMonitor::Nvml {
  NvmlLibrary library;
  NvmlDevice device = nullptr;

  int clock(int kind) const {
    unsigned mhz = 0;
    const int rc = library.call<int(NvmlDevice, int, unsigned*)>("nvmlDeviceGetClockInfo", 1, device, kind, &mhz);
    return rc == NvmlLibrary::kSuccess ? static_cast<int>(mhz) : 0;
  }
};

ClockMonitor::ClockMonitor(const std::string& pci_bus_id) : nvml_(std::make_unique<Nvml>()) {
  if (!nvml_->library ||
      nvml_->library.call<int(const char*, NvmlDevice*)>("nvmlDeviceGetHandleByPciBusId_v2", 1, pci_bus_id.c_str(),
                                                         &nvml_->device) != NvmlLibrary::kSuccess)
    nvml_->device = nullptr;
}

ClockMonitor::~ClockMonitor() = default;

void ClockMonitor::start() { clocks_ = {}; }

void ClockMonitor::sample() {
  if (!nvml_->device) return;
  const auto lowest = [](int seen, int now) { return seen == 0 ? now : now == 0 ? seen : std::min(seen, now); };
  clocks_.sm_mhz = lowest(clocks_.sm_mhz, nvml_->clock(kClockSm));
  clocks_.memory_mhz = lowest(clocks_.memory_mhz, nvml_->clock(kClockMemory));
  unsigned long long reasons = 0;
  if (nvml_->library.call<int(NvmlDevice, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons", 1,
                                                                nvml_->device, &reasons) == NvmlLibrary::kSuccess)
    clocks_.throttled |= (reasons & kSlowed) != 0;
}

std::string driver_version() {
  const NvmlLibrary library;
  char text[96] = "";
  if (!library ||
      library.call<int(char*, unsigned)>("nvmlSystemGetDriverVersion", 1, text, 96u) != NvmlLibrary::kSuccess)
    return "";
  return text;
}

}  // namespace opsched
