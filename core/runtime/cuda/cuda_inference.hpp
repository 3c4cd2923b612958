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
  /// Enqueues a run on `stream` of device 0's GPU and returns. `from` and `to` are as in run(), but in memory that
  /// this GPU can access, and must stay valid until the stream has finished. Values are float32, whatever the
  /// precision of the runtime. A run waits for the previous one only if both use the same stream: do not use several
  /// streams without events between them. The current device does not change. Throws Error unless there is one pointer
  /// for each input and output, and on CUDA errors.
  virtual void enqueue(const std::vector<const float*>& from, const std::vector<float*>& to, CudaStream stream) = 0;

 protected:
  using Inference::Inference;
};

}  // namespace opsched
