// Energy that GPUs have taken, from NVML.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace opsched {

class EnergyMeter {
 public:
  /// `pci_bus_ids` as from cudaDeviceGetPCIBusId. Throws Error where there is no NVML, or it does not know a GPU or its
  /// energy.
  explicit EnergyMeter(const std::vector<std::string>& pci_bus_ids);
  ~EnergyMeter();

  /// Of all these GPUs together, mJ, counted from some moment in the past. The driver updates it some times a second.
  double millijoules() const;

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;
};

}  // namespace opsched
