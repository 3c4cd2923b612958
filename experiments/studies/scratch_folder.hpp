// A temporary folder that is removed with its owner, and costs on an empty profile in one.
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "experiments/device/device.hpp"

namespace opsched {

/// Made empty in the system's folder for temporary files, removed with everything in it at the end.
class ScratchFolder {
 public:
  /// `purpose` becomes part of its name. Throws std::filesystem::filesystem_error if it cannot be made.
  explicit ScratchFolder(const std::string& purpose) {
    // A name that nobody can have taken before.
    std::string name = (std::filesystem::temp_directory_path() / ("opsched-" + purpose + "-XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::filesystem::filesystem_error("cannot make a temporary folder", name,
                                              std::error_code(errno, std::generic_category()));
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path() const { return path_.string(); }
  /// Empty again.
  void clear() {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) std::filesystem::remove_all(entry.path());
  }

 private:
  std::filesystem::path path_;
};

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
