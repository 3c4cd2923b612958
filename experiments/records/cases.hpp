// Which combinations a benchmark runs: networks x schedulers x batches x precisions x device counts.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "core/precision.hpp"

namespace opsched::bench {

/// One benchmark.
struct Case {
  std::string network, scheduler;
  int batch = 1;
  int image = 0;  ///< 0: the network's own
  Precision precision = Precision::fp32;
  int gpus = 1;

  /// inception_v3/wavefront/batch:1/fp32/gpus:1; with /image:512 behind the batch if it is not the
  /// network's own.
  std::string name() const;
  bool operator==(const Case&) const = default;
  /// Sorted by this, cases of one graph and precision are neighbours: its costs are made once for all of them.
  auto neighbourhood() const { return std::tie(gpus, network, batch, image, precision); }
};

/// What to combine; names may be empty for the default.
struct Selection {
  std::vector<std::string> networks{};    ///< default: all
  std::vector<std::string> schedulers{};  ///< default: those made for `gpus` devices
  std::vector<int> batches{1};
  std::vector<int> images{0};
  std::vector<std::string> precisions{};  ///< default: all
  std::vector<int> gpus{1};
  std::string filter{};  ///< a regular expression that a part of the name matches; '-' in front: does not
};

/// In the order in which they run: what is compared runs close together, sequential first. Throws
/// Error for an unknown name, a number below its least, and where nothing is left.
std::vector<Case> make_cases(const Selection& selection);

}  // namespace opsched::bench
