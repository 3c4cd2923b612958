// Parts of schedules on GPUs: each process captures its own into a CUDA graph, and what crosses goes by NCCL inside it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/runtime/cuda/device/peer_access.hpp"
#include "core/runtime/cuda/graph/weight_store.hpp"
#include "core/runtime/distributed/part_runtime.hpp"

namespace opsched {

/// What parts take from the runtime that they belong to.
struct CudaPartsSource {
  Precision precision;
  Connect connect;  ///< GPUs of this process
  std::function<std::shared_ptr<WeightStore>(const Graph& graph, std::uint64_t seed)> weights;
  std::function<void(const std::string&)> progress;  ///< may be empty
};

/// Throws Error where this build has no NCCL.
std::unique_ptr<PartRuntime> make_cuda_parts(ProcessGroup& processes, CudaPartsSource source);

}  // namespace opsched
