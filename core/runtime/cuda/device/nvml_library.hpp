// NVML, loaded at run time as part of the driver.
#pragma once

#include <dlfcn.h>

namespace opsched {

using NvmlDevice = void*;

/// The few calls needed are declared where they are used, because not every toolkit installation has nvml.h. Without a
/// driver, every call fails.
class NvmlLibrary {
 public:
  static constexpr int kSuccess = 0;

  NvmlLibrary() : handle_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ && call<int()>("nvmlInit_v2", kSuccess + 1) != kSuccess) close();
  }
  ~NvmlLibrary() {
    if (!handle_) return;
    call<int()>("nvmlShutdown", 0);
    close();
  }
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;

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

}  // namespace opsched
