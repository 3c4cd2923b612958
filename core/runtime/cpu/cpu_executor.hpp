// The CPU back end: computes the values of a schedule, with one thread per stream.
#pragma once

#include <functional>
#include <memory>

#include "core/precision.hpp"
#include "core/processes/process_group.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// How the CPU lowers schedules.
LoweringOptions cpu_lowering(Waits waits = Waits::needed);

/// Runs a schedule with Eigen kernels in fp32, one thread per stream with real events between them, so that a missing
/// dependence is a race that ThreadSanitizer detects. sample() and measure() throw Error, because CPU times say
/// nothing about a GPU. sample_by() times this host's processors.
std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed);
/// The same for any lowered program of 4-byte elements. `inputs` of run() are the program's.
std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, Program program, std::uint64_t seed);
/// The part of a program that this process executes (partition.hpp), while the other processes execute theirs.
/// sample() times rounds, from when all processes are ready until all have finished, as observed by process 0, in ms
/// on a CPU; on other processes it returns the local time. `processes` must outlive it.
std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, Program part, std::uint64_t seed,
                                            ProcessGroup& processes);

/// The reference: every operator in order, one at a time, without memory reuse, and independent of the lowering used
/// by the executors. `inputs` as in Executor::run. `observe` is called with every output once, in order; outputs that
/// are no longer needed are freed. Uses all cores. With a `precision` other than fp32, convolution inputs and weights
/// (in fp16 also the output of every operator) are rounded to its mantissa, so the difference from fp32 shows the
/// effect of rounding on this graph.
std::vector<Tensor> reference_outputs(const Graph& graph, const std::vector<Tensor>& inputs, std::uint64_t seed,
                                      const std::function<void(OpId, const Tensor&)>& observe = {},
                                      Precision precision = Precision::fp32);

}  // namespace opsched
