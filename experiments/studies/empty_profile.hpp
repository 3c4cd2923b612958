// Costs on an empty profile.
#pragma once

#include <memory>

#include "experiments/device/device.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched {

/// Costs of a graph in a profile that is empty at first and deleted before the next one, so that the cost of a search
/// is counted from an empty profile. The graph must outlive it.
class EmptyProfile {
 public:
  EmptyProfile(const Graph& graph, Precision precision, DeviceOptions options)
      : graph_(graph), precision_(precision), options_(std::move(options)) {
    options_.profile = scratch_.path();
  }
  /// Valid until the next call. Throws as open_device does.
  CostModel& costs() {
    costs_.reset();
    device_.reset();
    scratch_.clear();
    device_ = open_device(options_);
    costs_ = device_->costs(graph_, precision_);
    return *costs_;
  }

 private:
  const Graph& graph_;
  Precision precision_;
  DeviceOptions options_;
  ScratchFolder scratch_{"search"};
  std::unique_ptr<Device> device_;
  std::unique_ptr<CostModel> costs_;
};

}  // namespace opsched
