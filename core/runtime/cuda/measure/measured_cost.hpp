// The cost model that measures stages on the GPU.
#pragma once

#include <memory>

#include "core/cost/cost_model.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/device/peer_access.hpp"

namespace opsched {

/// See CudaRuntime::make_cost. `profile` and the devices must outlive it.
std::unique_ptr<CostModel> make_measured_cost(const Graph& graph, Profile& profile, const Connect& connect,
                                              Precision precision, const ScheduleTimer& several);

}  // namespace opsched
