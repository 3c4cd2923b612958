// The CPU back end: the numerics of a schedule, with one thread a stream.
#pragma once

#include <functional>
#include <memory>

#include "core/precision.hpp"
#include "core/processes/process_group.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// Runs a schedule with Eigen kernels in fp32, one thread a stream and real events between them, so
/// that a missing dependence is a race that ThreadSanitizer sees. sample() and measure() throw Error: CPU
/// times say nothing about a GPU. sample_by() times this host's processors, for who asks for it.
std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed);
/// The same for a program of 4-byte elements, however it was lowered; `inputs` of run() are the program's.
std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, Program program, std::uint64_t seed);
/// The part of a program that this process executes (partition.hpp); the others execute theirs at the same time.
/// sample() times rounds: from when all processes are ready until all have ended, as process 0 sees it, in ms of a CPU;
/// elsewhere it gives what passed there. `processes` must outlive it.
std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, Program part, std::uint64_t seed,
                                            ProcessGroup& processes);

/// The reference: every operator in order, one at a time, no memory shared, and independent of the
/// lowering that the executors use. `inputs` as in Executor::run. `observe` sees every output once,
/// in order; outputs that are no longer needed are freed. Uses all cores. With a `precision` other than fp32, what
/// convolutions read and their weights (in fp16: what every operator writes, too) are rounded to its mantissa; how far
/// outputs go from those in fp32 says what rounding does to this graph.
std::vector<Tensor> reference_outputs(const Graph& graph, const std::vector<Tensor>& inputs, std::uint64_t seed,
                                      const std::function<void(OpId, const Tensor&)>& observe = {},
                                      Precision precision = Precision::fp32);

}  // namespace opsched
