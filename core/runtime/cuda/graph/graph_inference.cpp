#include "core/runtime/cuda/graph/graph_inference.hpp"

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"

namespace opsched {
namespace {

class GraphInference final : public CudaInference {
 public:
  GraphInference(const Graph& graph, std::unique_ptr<CapturedProgram> captured, std::shared_ptr<const void> keep)
      : CudaInference(graph), keep_(std::move(keep)), captured_(std::move(captured)) {
    const Program& program = captured_->program();
    for (const auto* views : {&program.inputs, &program.outputs})
      for (const View& view : *views)
        if (!captured_->reaches(view))
          throw Error("model '" + graph.name() + "': an input or output is on GPU " +
                      std::to_string(program.buffers[view.buffer].device) +
                      " of the schedule, whose memory the first one cannot access; use a schedule for one GPU");
    // The padding stays zero, because nothing else writes there.
    const DeviceScope scope(captured_->gpu());
    stream_ = make_stream();
    for (std::size_t i = 0; i < inputs().size(); ++i) {
      captured_->upload(program.inputs[i],
                        {inputs()[i].batch, inputs()[i].shape, std::vector<float>(inputs()[i].size())});
      OPSCHED_CUDA(cudaDeviceSynchronize());  // copies from pageable memory may return before they have landed
    }
  }

  void run(const std::vector<const float*>& from, const std::vector<float*>& to) override {
    check_counts(from.size(), to.size());
    const DeviceScope scope(captured_->gpu());
    if (from_.empty() && to_.empty()) {
      for (const InferencePort& port : inputs()) from_.emplace_back(port.size() * sizeof(float));
      for (const InferencePort& port : outputs()) to_.emplace_back(port.size() * sizeof(float));
    }
    std::vector<const float*> given;
    std::vector<float*> results;
    for (std::size_t i = 0; i < from.size(); ++i) {
      OPSCHED_CUDA(cudaMemcpyAsync(from_[i].data(), from[i], from_[i].bytes(), cudaMemcpyHostToDevice, stream_.get()));
      given.push_back(reinterpret_cast<const float*>(from_[i].data()));
    }
    for (const DeviceBuffer& buffer : to_) results.push_back(reinterpret_cast<float*>(buffer.data()));
    enqueue(given, results, stream_.get());
    for (std::size_t i = 0; i < to.size(); ++i)
      OPSCHED_CUDA(cudaMemcpyAsync(to[i], to_[i].data(), to_[i].bytes(), cudaMemcpyDeviceToHost, stream_.get()));
    OPSCHED_CUDA(cudaStreamSynchronize(stream_.get()));
  }

  void enqueue(const std::vector<const float*>& from, const std::vector<float*>& to, CudaStream stream) override {
    check_counts(from.size(), to.size());
    const DeviceScope scope(captured_->gpu());
    const Program& program = captured_->program();
    for (std::size_t i = 0; i < from.size(); ++i)
      enqueue_from_dense(from[i], captured_->slice(program.inputs[i]), stream);
    OPSCHED_CUDA(cudaGraphLaunch(captured_->exec(), stream));
    for (std::size_t i = 0; i < to.size(); ++i) enqueue_to_dense(captured_->slice(program.outputs[i]), to[i], stream);
  }

 private:
  std::shared_ptr<const void> keep_;
  std::unique_ptr<CapturedProgram> captured_;
  Stream stream_;                        ///< of run()
  std::vector<DeviceBuffer> from_, to_;  ///< of run(), made when it is first called
};

}  // namespace

std::unique_ptr<CudaInference> make_graph_inference(const Graph& graph, std::unique_ptr<CapturedProgram> captured,
                                                    std::shared_ptr<const void> keep) {
  return std::make_unique<GraphInference>(graph, std::move(captured), std::move(keep));
}

}  // namespace opsched
