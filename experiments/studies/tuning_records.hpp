// Records of a kernel refinement: its schedules with the kernels of before and of after.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/kernel_refinement.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched {

/// `schedules`: in the tuner's order, measured before the refinement ran. `tried`: kinds of candidates, for the label.
/// Each schedule gives a record with the kernels of before and one with those of after, with latencies that the
/// refinement compared in alternation. If none of its kernels changed, only the first, with its latency in `schedules`.
std::vector<bench::Timed> tuning_records(const KernelRefinement& refinement, const std::vector<bench::Timed>& schedules,
                                         const std::string& tried);

}  // namespace opsched
