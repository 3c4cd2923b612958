// A lowered program made ready on its GPUs: kernels chosen, memory placed, captured into one graph.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/cuda/cuda_handles.hpp"
#include "core/runtime/cuda/device_context.hpp"
#include "core/runtime/cuda/kernels.hpp"
#include "core/runtime/program/program.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched {

/// Device pointer to the packed weights of a step for the kernel that was chosen; valid as long as
/// the captured program.
using WeightSource = std::function<const void*(const Step& step, const Kernel& kernel, DeviceContext& device)>;

/// own: memory of its own, for as long as it lives. scratch: the devices' scratch memory, until the
/// next program that uses it.
enum class MemoryUse { own, scratch };

class CapturedProgram {
 public:
  /// `devices[d]` runs device d of the program. Throws Error naming the GPU where memory does not
  /// suffice. `progress` hears of kernels being tuned; may be empty.
  CapturedProgram(Program program, int batch, Precision precision, MemoryUse memory,
                  std::span<DeviceContext* const> devices, const WeightSource& weights,
                  const std::function<void(const std::string&)>& progress = {});

  const Program& program() const { return program_; }
  cudaGraphExec_t exec() const { return exec_.get(); }
  cudaStream_t stream() const { return origin_; }

  /// Fills every arena with NaNs, so that reading before writing shows in the outputs.
  void poison();
  void upload(const View& view, const Tensor& tensor);
  Tensor download(const View& view) const;

 private:
  struct Prepared;
  std::vector<Prepared> prepare(const WeightSource& weights, const std::function<void(const std::string&)>& progress);
  void place(const std::vector<Prepared>& prepared, MemoryUse memory);
  char* address(const View& view) const;
  void capture(const std::vector<Prepared>& prepared);
  void enqueue(const Step& step, const Prepared& prepared, cudaStream_t stream);
  void enqueue_transfer(const Step& step, cudaStream_t stream);

  Program program_;
  int batch_;
  Precision precision_;
  std::vector<DeviceContext*> devices_;
  std::vector<DeviceBuffer> owned_;
  std::vector<char*> arenas_;
  std::vector<std::vector<char*>> workspaces_;  ///< a device, a stream
  cudaStream_t origin_ = nullptr;
  GraphExec exec_;
};

}  // namespace opsched
