#include "core/runtime/cuda/device/energy_meter.hpp"

#include "core/error.hpp"
#include "core/runtime/cuda/device/nvml_library.hpp"

namespace opsched {

struct EnergyMeter::Nvml {
  NvmlLibrary library;
  std::vector<NvmlDevice> devices;
};

EnergyMeter::EnergyMeter(const std::vector<std::string>& pci_bus_ids) : nvml_(std::make_unique<Nvml>()) {
  if (!nvml_->library) throw Error("energy cannot be read: this host has no NVML (libnvidia-ml.so.1, of the driver)");
  for (const std::string& id : pci_bus_ids) {
    NvmlDevice device = nullptr;
    if (nvml_->library.call<int(const char*, NvmlDevice*)>("nvmlDeviceGetHandleByPciBusId_v2", 1, id.c_str(),
                                                           &device) != NvmlLibrary::kSuccess)
      throw Error("energy cannot be read: NVML does not know the GPU " + id);
    nvml_->devices.push_back(device);
  }
  millijoules();
}

EnergyMeter::~EnergyMeter() = default;

double EnergyMeter::millijoules() const {
  double sum = 0;
  for (NvmlDevice device : nvml_->devices) {
    unsigned long long energy = 0;
    if (nvml_->library.call<int(NvmlDevice, unsigned long long*)>("nvmlDeviceGetTotalEnergyConsumption", 1, device,
                                                                  &energy) != NvmlLibrary::kSuccess)
      throw Error(
          "energy cannot be read: NVML does not count it on this GPU (Volta and later do, outside of "
          "containers that hide it)");
    sum += static_cast<double>(energy);
  }
  return sum;
}

}  // namespace opsched
