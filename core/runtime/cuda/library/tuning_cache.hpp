// The file that stores kernel choices and their reasons.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/runtime/kernel_refinement.hpp"

namespace opsched {

/// Version of this project's kernels. Increase it when kernels, their names, the criteria for choosing one, or the
/// layout of their tensors change. Latencies of different versions must not be mixed. Version 20 was tried and not kept
/// (docs/performance/convolutions.md).
constexpr int kKernelsVersion = 23;

/// The kernel of a problem, and the origin of the choice.
struct TunedKernel {
  std::string kernel;
  std::vector<KernelTime> alone;  ///< measurements of it and others, fastest first: alone, or next to copies of itself
                                  ///< if the problem is concurrent
  /// For a kernel that runs better next to others (kernel_refinement.hpp): the one that is fastest alone, the
  /// schedules that were run, and their latency with the previous kernel and with this one.
  std::string instead_of, co_run;
  double before_ms = 0, after_ms = 0;
  std::map<std::string, std::set<std::string>> tried;  ///< by schedules

  bool refined() const { return !instead_of.empty(); }
};

/// Choices of one GPU model by problem key. JSON; several GPU models share a file. Entries written by another version
/// of this project, of cuDNN or of cuBLASLt are ignored, and replaced by save(). A file that cannot be used is not an
/// error: choices are then kept in memory and measured again the next time.
class TuningCache {
 public:
  /// Called at most once, with a line naming the file: it is damaged (and will be rewritten), or cannot be read or
  /// written.
  using Report = std::function<void(const std::string&)>;

  /// `path` empty: nothing is stored.
  TuningCache(std::string path, std::string device, Report report = {});

  /// Adds entries that others have written meanwhile, such as the library of another GPU of this model.
  void refresh();
  /// nullptr if unknown; valid until the next set() of this problem.
  const TunedKernel* find(const std::string& problem) const;
  void set(const std::string& problem, TunedKernel choice);
  /// Writes new entries into the file, merged with those that others have written meanwhile.
  void save();

  /// A version tag that changes with tuned kernels (kernel_refinement.hpp); empty if there are none. Latencies
  /// measured under different tags must not be mixed.
  std::string refinement_tag() const;

 private:
  using Choices = std::map<std::string, TunedKernel>;
  std::map<std::string, Choices> read();
  void warn(const std::string& line);

  std::string path_, device_;
  Report report_;
  bool warned_ = false;
  bool foreign_ = false;  ///< the file is something else: never to be overwritten
  Choices choices_;
  std::set<std::string> changed_;
};

}  // namespace opsched
