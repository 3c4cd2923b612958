#include "core/runtime/cuda/device/clock_monitor.hpp"

#include <dlfcn.h>

#include <algorithm>

namespace opsched {
namespace {

// The few calls that are needed, declared here because nvml.h is not part of every toolkit install.
// Values from NVIDIA's NVML API reference.
using nvmlDevice = void*;
constexpr int kSuccess = 0, kClockSm = 1, kClockMemory = 2;
constexpr unsigned long long kSlowed = 0x04 | 0x08 | 0x20 | 0x40 | 0x80;  // power cap, slowdowns, thermal

class Library {
 public:
  Library() : handle_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ && call<int()>("nvmlInit_v2", kSuccess + 1) != kSuccess) close();
  }
  ~Library() {
    if (!handle_) return;
    call<int()>("nvmlShutdown", 0);
    close();
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  explicit operator bool() const { return handle_ != nullptr; }

  template <class Signature, class... Args>
  int call(const char* name, int missing, Args... args) const {
    auto* function = reinterpret_cast<Signature*>(dlsym(handle_, name));
    return function ? function(args...) : missing;
  }

 private:
  void close() {
    dlclose(handle_);
    handle_ = nullptr;
  }
  void* handle_;
};

}  // namespace

struct ClockMonitor::Nvml {
  Library library;
  nvmlDevice device = nullptr;

  int clock(int kind) const {
    unsigned mhz = 0;
    const int rc = library.call<int(nvmlDevice, int, unsigned*)>("nvmlDeviceGetClockInfo", 1, device, kind, &mhz);
    return rc == kSuccess ? static_cast<int>(mhz) : 0;
  }
};

ClockMonitor::ClockMonitor(const std::string& pci_bus_id) : nvml_(std::make_unique<Nvml>()) {
  if (!nvml_->library || nvml_->library.call<int(const char*, nvmlDevice*)>(
                             "nvmlDeviceGetHandleByPciBusId_v2", 1, pci_bus_id.c_str(), &nvml_->device) != kSuccess)
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
  if (nvml_->library.call<int(nvmlDevice, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons", 1,
                                                                nvml_->device, &reasons) == kSuccess)
    clocks_.throttled |= (reasons & kSlowed) != 0;
}

std::string driver_version() {
  const Library library;
  char text[96] = "";
  if (!library || library.call<int(char*, unsigned)>("nvmlSystemGetDriverVersion", 1, text, 96u) != kSuccess) return "";
  return text;
}

}  // namespace opsched
