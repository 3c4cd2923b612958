// Inference on GPUs, with the caller's buffers and stream. No CUDA headers needed to include it.
//
//   CudaRuntime runtime({.precision = Precision::fp16});
//   const auto model = runtime.make_inference(load_graph("model.onnx"), schedule);
//   model->enqueue({image_on_gpu}, {scores_on_gpu}, stream);   // again and again
//   cudaStreamSynchronize(stream);
#pragma once

#include <vector>

#include "core/runtime/inference.hpp"

struct CUstream_st;

namespace opsched {

/// What CUDA calls cudaStream_t.
using CudaStream = CUstream_st*;

class CudaInference : public Inference {
 public:
  /// Enqueues a run on `stream`, of the GPU of device 0, and returns. `from` and `to` are as in run(), but in memory
  /// that this GPU can access; they must stay until the stream has passed. In the precision of the runtime; what is
  /// read and written here is float32 in any precision. A run begins when the one before it has ended only if both are
  /// on one stream: do not use several without events between them. The current device stays as it is. Throws Error
  /// unless there is one pointer for each input and output, and where CUDA refuses.
  virtual void enqueue(const std::vector<const float*>& from, const std::vector<float*>& to, CudaStream stream) = 0;

 protected:
  using Inference::Inference;
};

}  // namespace opsched
