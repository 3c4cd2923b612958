// The part of a schedule that this process executes, as process 0 asks for it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/runtime/distributed/part_runtime.hpp"

namespace opsched {

/// Where the inputs and outputs of a whole program lie.
struct Ports {
  std::vector<int> inputs, outputs;  ///< process of each
};

class ProcessPart {
 public:
  /// Made ready together with the other processes; where some cannot, Error with the reason is thrown in all.
  ProcessPart(ProcessGroup& processes, PartRuntime& runtime, PartRequest request);

  // All processes call these together. Tensors come from process 0 and go there; `inputs` and the result are its.

  std::vector<Tensor> run(const std::vector<Tensor>& inputs);
  std::vector<double> sample(int count);
  /// Rounds in which nothing is computed.
  std::vector<double> sample_idle(int count);

  const Program& whole() const { return whole_; }
  const PartRequest& request() const { return *request_; }
  const Executor& executor() const { return *executor_; }
  /// Of all processes; on process 0.
  const std::vector<KernelChoice>& kernels() const { return kernels_; }

 private:
  void agree(const std::function<void()>& action);
  void divide(PartRuntime& runtime);
  void make_ready(PartRuntime& runtime);
  std::string report() const;
  void hear(const std::vector<std::string>& reports);

  ProcessGroup& processes_;
  std::unique_ptr<const PartRequest> request_;  ///< executors refer to it
  Program whole_;
  ProgramPart part_;
  Ports ports_;
  std::unique_ptr<Executor> executor_, idle_;
  std::vector<KernelChoice> kernels_;
};

}  // namespace opsched
