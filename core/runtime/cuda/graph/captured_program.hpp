// A lowered program made ready on its GPUs: kernels chosen, memory placed, captured into one graph.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/graph/message_link.hpp"
#include "core/runtime/cuda/kernels/dense_copy.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/program/program.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched {

/// Device pointer to the packed weights of a step for the kernel that was chosen; valid as long as
/// the captured program.
using WeightSource = std::function<const void*(const Step& step, const Kernel& kernel, DeviceContext& device)>;

/// own: memory of its own, for as long as it lives. scratch: the devices' scratch memory, until the
/// next program that uses it.
enum class MemoryUse { own, scratch };

/// Nodes of a CUDA graph by step of the program that it was captured from.
using StepNodes = std::vector<std::vector<cudaGraphNode_t>>;

class CapturedProgram {
 public:
  /// `devices[d]` runs device d of the program; tensors travel between them by `route`. Throws Error
  /// naming the GPU where memory does not suffice. `progress` hears of kernels being tuned; may be empty. `link`: of a
  /// part, which sends and receives; must outlive it.
  CapturedProgram(Program program, Precision precision, MemoryUse memory, std::span<DeviceContext* const> devices,
                  const CopyRoute& route, const WeightSource& weights,
                  const std::function<void(const std::string&)>& progress = {}, MessageLink* link = nullptr);

  const Program& program() const { return program_; }
  cudaGraphExec_t exec() const { return exec_.get(); }
  cudaStream_t stream() const { return origin_; }

  /// Captures the program once more, into a graph that the caller instantiates with instantiate_flags(), and
  /// says which nodes came from which step. It works on this object's memory.
  CudaGraph capture(StepNodes& nodes) const;
  unsigned long long instantiate_flags() const;
  /// Which kernel every distinct problem got, by problem.
  std::vector<KernelChoice> kernels() const;
  /// Makes the graph ready again, `times` times.
  Preparation prepare_again(int times) const;

  /// Fills every arena with NaNs, so that reading before writing shows in the outputs.
  void poison();
  /// Both wait until the GPU has done it.
  void upload(const View& view, const Tensor& tensor);
  Tensor download(const View& view) const;

  /// GPU of device 0, which launches the graph.
  int gpu() const { return devices_.front()->gpu(); }
  /// Where a view lies, for kernels of that GPU; can they get there?
  DenseSlice slice(const View& view) const;
  bool reaches(const View& view) const;

 private:
  struct Prepared {
    std::shared_ptr<const Kernel> kernel;  ///< none: a transfer or message
    const void* weights = nullptr;
    HostBuffer staging;  ///< of a transfer through host memory
  };
  void prepare(const WeightSource& weights, const std::function<void(const std::string&)>& progress);
  void place(MemoryUse memory);
  char* address(const View& view) const;
  /// `nodes` may be null.
  CudaGraph capture(StepNodes* nodes) const;
  bool prioritised() const;
  void enqueue(const Step& step, const Prepared& prepared, cudaStream_t stream) const;
  void enqueue_transfer(const Step& step, const Prepared& prepared, cudaStream_t stream) const;
  void enqueue_message(const Step& step, cudaStream_t stream) const;
  std::vector<PeerCopy> copies_of(const Step& step) const;
  std::size_t workspace_bytes(std::size_t step) const;

  Program program_;
  Precision precision_;
  std::vector<DeviceContext*> devices_;
  CopyRoute route_;
  MessageLink* link_;
  std::vector<Prepared> prepared_;  ///< a step
  std::vector<DeviceBuffer> owned_;
  std::vector<char*> arenas_;
  std::vector<std::vector<char*>> workspaces_;  ///< a device, a stream
  cudaStream_t origin_ = nullptr;
  GraphExec exec_;
};

}  // namespace opsched
