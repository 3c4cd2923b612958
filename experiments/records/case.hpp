// What was run: one combination of network, scheduler, batch, image, precision and devices.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "core/precision.hpp"

namespace opsched::records {

struct Case {
  std::string network, scheduler;  ///< of other software: its way to run ("eager")
  int batch = 1;
  int image = 0;  ///< 0: the network's own
  Precision precision = Precision::fp32;
  int gpus = 1;
  std::map<std::string, std::string> options{};  ///< of the scheduler
  std::string software = "opsched";              ///< or a baseline: "pytorch"

  /// inception_v3/wavefront/batch:1/fp32/gpus:1; with /image:512 behind the batch if it is not the network's
  /// own, options behind the scheduler (ios-both,r=1,s=3), other software in front (pytorch:inception_v3/...).
  std::string name() const;
  bool operator==(const Case&) const = default;
  /// Sorted by this, cases of one graph and precision are neighbours: its costs are made once for all of them.
  auto neighbourhood() const { return std::tie(gpus, network, batch, image, precision); }
};

/// The case of a name (Case::name); nothing for a text that is none.
std::optional<Case> parse_case(const std::string& name);

/// What a case is compared with: the same graph and precision, sequential, on one device, by the same software.
Case baseline_of(const Case& what);

}  // namespace opsched::records
