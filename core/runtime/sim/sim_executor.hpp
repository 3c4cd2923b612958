// The simulator as a back end: latencies without the GPU.
#pragma once

#include <memory>

#include "core/cost/cost_model.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/runtime/executor.hpp"

namespace opsched {

/// measure() returns the latency from `profile` if this exact schedule was measured, and otherwise the simulated one
/// (one run). Measurement::provenance says which (recorded; simulated, or synthetic for synthetic costs). sample()
/// returns that single number. run() delegates to `numerics`, and throws Error if there is none, because a simulation
/// computes no values. activation_bytes() and transfer_bytes() are those of the program that a GPU would run in the
/// profile's precision, or, without a profile, of plain steps with 4 bytes per element. All arguments must outlive the
/// result.
std::unique_ptr<Executor> make_sim_executor(CostModel& cost, const Schedule& schedule, const Profile* profile = nullptr,
                                            std::unique_ptr<Executor> numerics = nullptr);

}  // namespace opsched
