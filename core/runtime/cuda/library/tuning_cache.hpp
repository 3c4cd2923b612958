// The file that remembers which kernel was chosen, and why.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/runtime/kernel_refinement.hpp"

namespace opsched {

/// Of this project's kernels: to be raised when kernels, their names, or what makes one better change. Latencies
/// measured under two versions do not belong together.
constexpr int kKernelsVersion = 12;

/// The kernel of a problem, and where the choice comes from.
struct TunedKernel {
  std::string kernel;
  std::vector<KernelTime> alone;  ///< how it and others measured alone, fastest first
  /// Of a kernel that runs better beside others (kernel_refinement.hpp): the one that is the fastest alone, the
  /// schedules that were run, and their latency with the kernel before this one and with this one.
  std::string instead_of, co_run;
  double before_ms = 0, after_ms = 0;
  std::map<std::string, std::set<std::string>> tried;  ///< by schedules

  bool refined() const { return !instead_of.empty(); }
};

/// Choices of one GPU model by problem key. JSON; several GPU models share a file. What another version of
/// this project, of cuDNN or of cuBLASLt wrote is ignored, and replaced by save(). A file that cannot be used
/// is no error: what is known is kept in memory then, and measured again the next time.
class TuningCache {
 public:
  /// Hears one line, once, naming the file: that it is damaged (it will be made anew), or cannot be read or written.
  using Report = std::function<void(const std::string&)>;

  /// `path` empty: remembers nothing beyond its own life.
  TuningCache(std::string path, std::string device, Report report = {});

  /// Takes over what others have written meanwhile: the library of another GPU of this model, say.
  void refresh();
  /// nullptr if unknown; valid until the next set() of this problem.
  const TunedKernel* find(const std::string& problem) const;
  void set(const std::string& problem, TunedKernel choice);
  /// Writes what was set into the file, beside what others have written meanwhile.
  void save();

  /// A version tag: changes with the kernels that were refined (kernel_refinement.hpp); empty if there are none.
  /// Latencies that were measured under another tag do not belong together.
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
