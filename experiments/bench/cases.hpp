// Which combinations a benchmark runs: networks x schedulers x batches x precisions x device counts.
#pragma once

#include <string>
#include <vector>

#include "experiments/records/record.hpp"

namespace opsched::bench {

using records::Case;

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
