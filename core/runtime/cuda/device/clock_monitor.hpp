// Clocks of a GPU during a measurement, from NVML.
#pragma once

#include <memory>
#include <string>

#include "core/runtime/measurement.hpp"

namespace opsched {

/// NVML is part of the driver and loaded if available; without it, clocks are unknown.
class ClockMonitor {
 public:
  /// `pci_bus_id` as from cudaDeviceGetPCIBusId.
  explicit ClockMonitor(const std::string& pci_bus_id);
  ~ClockMonitor();

  void start();
  /// Takes a sample. Takes tens of microseconds, so never call it inside a timed region.
  void sample();
  const Clocks& clocks() const { return clocks_; }

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;
  Clocks clocks_;
};

/// Version of the installed driver; empty if unknown.
std::string driver_version();

}  // namespace opsched
