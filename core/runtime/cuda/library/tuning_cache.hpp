// The file that remembers which kernel was chosen, and why.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/runtime/kernel_refinement.hpp"

namespace opsched {

/// Of this project's kernels: to be raised when kernels, their names, or what makes one better change. Latencies
/// measured under two versions do not belong together.
constexpr int kKernelsVersion = 9;

/// The kernel of a problem, and where the choice comes from.
struct TunedKernel {
  std::string kernel;
  std::vector<KernelTime> alone;  ///< how it and others measured alone, fastest first
  /// Of a kernel that was preferred for its company (kernel_refinement.hpp): the one that had been chosen
  /// alone, the schedules, and their latency with the kernel before this one and with this one.
  std::string instead_of, company;
  double before_ms = 0, after_ms = 0;
  std::map<std::string, std::set<std::string>> tried;  ///< by company

  bool refined() const { return !instead_of.empty(); }
};

/// Choices of one GPU model by problem key. JSON; several GPU models share a file. What another version of
/// this project, of cuDNN or of cuBLASLt wrote is ignored, and replaced by save().
class ChoiceFile {
 public:
  /// `path` empty: remembers nothing beyond its own life. Throws Error naming the file if it cannot be
  /// read or is no such file.
  ChoiceFile(std::string path, std::string device);

  /// Takes over what others have written meanwhile: the library of another GPU of this model, say.
  void refresh();
  /// nullptr if unknown; valid until the next set() of this problem.
  const TunedKernel* find(const std::string& problem) const;
  void set(const std::string& problem, TunedKernel choice);
  /// Writes what was set into the file, beside what others have written meanwhile.
  void save();

  /// Changes with the kernels that were preferred for their company; empty if there are none. Latencies
  /// that were measured under another mark do not belong together.
  std::string refinement_mark() const;

 private:
  std::string path_, device_;
  std::map<std::string, TunedKernel> choices_;
  std::set<std::string> changed_;
};

}  // namespace opsched
