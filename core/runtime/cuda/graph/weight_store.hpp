// Packed weights on a GPU, shared by all schedules of a graph.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/program/program.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched {

/// Weights of one graph and seed. Schedules differ in placement but rarely in kernels, so packed weights can be
/// reused. They are kept until the store is destroyed.
class WeightStore {
 public:
  WeightStore(Graph graph, std::uint64_t seed) : graph_(std::move(graph)), seed_(seed) {}

  /// Packed for this kernel on this GPU; uploaded at first use.
  const void* get(const Step& step, const Kernel& kernel, DeviceContext& device);

 private:
  Graph graph_;
  std::uint64_t seed_;
  std::map<std::string, DeviceBuffer> packed_;
};

}  // namespace opsched
