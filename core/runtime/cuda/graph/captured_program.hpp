// A lowered program prepared for its GPUs: kernels chosen, memory placed, captured into one graph.
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

/// own: separate memory for the program's lifetime. scratch: the devices' scratch memory, until the next program uses
/// it.
enum class MemoryUse { own, scratch };

/// Nodes of a CUDA graph, by step of the captured program.
using StepNodes = std::vector<std::vector<cudaGraphNode_t>>;

class CapturedProgram {
 public:
  /// `devices[d]` runs device d of the program, and `route` transfers tensors between them. Throws Error naming the
  /// GPU if there is not enough memory. `progress` is told when kernels are tuned; may be empty. `link`: for a part
  /// that sends and receives; must outlive it.
  CapturedProgram(Program program, Precision precision, MemoryUse memory, std::span<DeviceContext* const> devices,
                  const CopyRoute& route, const WeightSource& weights,
                  const std::function<void(const std::string&)>& progress = {}, MessageLink* link = nullptr);

  const Program& program() const { return program_; }
  cudaGraphExec_t exec() const { return exec_.get(); }
  cudaStream_t stream() const { return origin_; }

  /// Captures the program again, into a graph that the caller instantiates with instantiate_flags(), and returns which
  /// nodes belong to which step. The graph uses this object's memory.
  CudaGraph capture(StepNodes& nodes) const;
  unsigned long long instantiate_flags() const;
  /// The kernel of every distinct problem, by problem.
  std::vector<KernelChoice> kernels() const;
  /// Prepares the graph again, `times` times.
  Preparation prepare_again(int times) const;

  /// Fills every arena with NaN, so that reads before writes show in the outputs.
  void poison();
  /// Both wait until the GPU has done it.
  void upload(const View& view, const Tensor& tensor);
  Tensor download(const View& view) const;

  /// GPU of device 0, which launches the graph.
  int gpu() const { return devices_.front()->gpu(); }
  /// Address of a view, for kernels of that GPU.
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
  std::vector<Prepared> prepared_;  ///< by step
  std::vector<DeviceBuffer> owned_;
  std::vector<char*> arenas_;
  std::vector<std::vector<char*>> workspaces_;  ///< by device and stream
  cudaStream_t origin_ = nullptr;
  GraphExec exec_;
};

}  // namespace opsched
