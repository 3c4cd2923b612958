// Choosing the fastest of a problem's kernels by measurement.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/runtime/cuda/library/kernel_benchmark.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"

namespace opsched {

/// A problem for which a kernel is being chosen.
struct PendingKernel {
  Problem problem;
  std::string key;
  std::string remembered;  ///< name of the kernel in the tuning cache; empty: unknown
  struct Candidate {
    std::string name;
    std::shared_ptr<const Kernel> kernel;
    std::string failure;
    double alone_ms = 0;  ///< for measure_concurrent
  };
  std::vector<Candidate> candidates;
};

/// Checks the candidates, and times each without other kernels. The result lists them, best first; failed ones carry
/// the reason. Leaves the best one in the task, or none if all fail.
Tuning measure_alone(PendingKernel& task, const BenchmarkContext& context);

/// The same for a problem whose kernel runs next to others: each candidate is timed next to copies of itself, so that
/// what it takes away from others counts. The candidates were checked before.
Tuning measure_concurrent(PendingKernel& task, const BenchmarkContext& context);

/// Kernels that are worth trying next to others, by what is known of the same problem alone.
std::vector<PendingKernel::Candidate> candidates_from(const TunedKernel& alone);

}  // namespace opsched
