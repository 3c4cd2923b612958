#include "core/runtime/cuda/graph/weight_store.hpp"

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/program/merged_weights.hpp"

namespace opsched {

const void* WeightStore::get(const Step& step, const Kernel& kernel, DeviceContext& device) {
  std::string key = std::to_string(device.gpu()) + " " + kernel.weight_format();
  // Schedules may pad different tensors.
  key += " " + std::to_string(step.inputs.front().channels) + ">" + std::to_string(step.output.channels);
  for (const WeightRef& ref : step.weights) key += " " + std::to_string(ref.op) + "." + std::to_string(ref.layer);
  if (!step.bias) key += " no bias";
  if (step.affine) key += " affine " + std::to_string(step.affine->op) + "." + std::to_string(step.affine->layer);
  if (const auto it = packed_.find(key); it != packed_.end()) return it->second.data();
  const std::vector<std::byte> bytes = kernel.pack(merged_weights(graph_, step, seed_));
  device.activate();
  DeviceBuffer buffer(bytes.size());
  OPSCHED_CUDA(cudaMemcpy(buffer.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
  return packed_.emplace(std::move(key), std::move(buffer)).first->second.data();
}

}  // namespace opsched
