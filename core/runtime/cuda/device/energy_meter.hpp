// Energy consumption of GPUs, from NVML.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace opsched {

class EnergyMeter {
 public:
  /// `pci_bus_ids` as from cudaDeviceGetPCIBusId. Throws Error if NVML is missing or does not support a GPU or its
  /// energy counter.
  explicit EnergyMeter(const std::vector<std::string>& pci_bus_ids);
  ~EnergyMeter();

  /// Sum over these GPUs, mJ, since an arbitrary point in the past. The driver updates it several times a second.
  double millijoules() const;

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;
};

}  // namespace opsched
