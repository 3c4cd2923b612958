// The simulator as a back end: latencies without the GPU.
#pragma once

#include <memory>

#include "core/cost/cost_model.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/runtime/executor.hpp"

namespace opsched {

/// measure() answers from `profile` if this very schedule was measured there on the whole, else with
/// the simulated latency (one run); Measurement::provenance says which (recorded; simulated, or synthetic on made-up
/// costs); sample() is that one number. run() hands over to `numerics`, and throws Error where there is none: a
/// simulation computes no values. activation_bytes() and transfer_bytes() are those of the program that a GPU runs in
/// the profile's precision; without a profile, of plain steps with 4 bytes an element. All must outlive the result.
std::unique_ptr<Executor> make_sim_executor(CostModel& cost, const Schedule& schedule, const Profile* profile = nullptr,
                                            std::unique_ptr<Executor> numerics = nullptr);

}  // namespace opsched
