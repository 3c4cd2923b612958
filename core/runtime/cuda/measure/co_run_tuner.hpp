// Runs whole schedules on a GPU with different kernel choices, and compares them in alternation.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/cuda/graph/captured_program.hpp"
#include "core/runtime/cuda/graph/weight_store.hpp"
#include "core/runtime/kernel_refinement.hpp"

namespace opsched {

/// All graphs use the same activation memory, one after the other, and the same weights if kernels read them in the
/// same format, so that addresses do not affect the comparison. Choices go into the device's kernel library and its
/// file.
class CudaCoRunTuner final : public CoRunTuner {
 public:
  /// Schedules of one device. Prepares their kernels; `progress` is told; may be empty.
  CudaCoRunTuner(std::vector<CoRunSchedule> members, DeviceContext& device, Precision precision,
                 const std::function<void(const std::string&)>& progress);

  std::vector<PosedProblem> problems() override;
  std::vector<LaunchVariant> launch_variants(const std::string& kernel) override;
  std::vector<KernelComparison> compare_each(std::span<const KernelChange> changes, int turns) override;
  void choose(const std::string& problem, const std::string& kernel, const KernelComparison& why) override;
  void remember_tried(const std::string& problem, const std::set<std::string>& kernels) override;

 private:
  struct Captured {
    CapturedProgram program;
    const void* memory;  ///< activations; invalid once the device's scratch memory has moved
  };
  struct Member {
    CoRunSchedule what;
    std::unique_ptr<WeightStore> weights;
    std::map<std::string, int> uses;  ///< by problem
    std::unique_ptr<Captured> current;
  };
  std::unique_ptr<Captured> capture(Member& member);
  /// With the kernels as chosen, in memory that it still has.
  const CapturedProgram& current(Member& member);
  bool poses(const Member& member, std::span<const KernelChange> changes) const;
  const Problem& problem(const std::string& key) const;
  /// Those members that pose a problem, as text.
  std::string schedules_with(const std::string& problem) const;

  DeviceContext& device_;
  Precision precision_;
  std::vector<Member> members_;
  std::map<std::string, Problem> problems_;
};

}  // namespace opsched
