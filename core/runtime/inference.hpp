// A model under a schedule, made ready once and run many times: what a program that serves a model calls.
//
//   const Graph graph = load_graph("model.onnx");                    // core/graph/files/graph_io.hpp
//   const Schedule schedule = load_schedule("best.json", graph);     // core/schedule/schedule_json.hpp
//   const auto model = make_cpu_inference(graph, schedule);          // or CudaRuntime::make_inference
//   std::vector<float> image(model->inputs()[0].size()), scores(model->outputs()[0].size());
//   model->run({image.data()}, {scores.data()});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// An input or output: float32 values, batch x channels x height x width, dense, width fastest.
struct InferencePort {
  std::string name;
  int batch = 1;
  Shape shape;  ///< of one image
  /// Values of the whole batch.
  std::size_t size() const { return static_cast<std::size_t>(batch * shape.size()); }
};

/// Not thread-safe: one run at a time.
class Inference {
 public:
  virtual ~Inference() = default;

  /// In the order of Graph::inputs() and Graph::outputs(), which is that of an ONNX model.
  const std::vector<InferencePort>& inputs() const { return inputs_; }
  const std::vector<InferencePort>& outputs() const { return outputs_; }
  /// Index of an input or output. Throws Error listing the known names.
  std::size_t input(const std::string& name) const;
  std::size_t output(const std::string& name) const;

  /// Runs once with host memory: `from[i]` has inputs()[i].size() values, `to[i]` has room for outputs()[i].size().
  /// Returns when the outputs are complete. Throws Error unless there is one pointer for each.
  virtual void run(const std::vector<const float*>& from, const std::vector<float*>& to) = 0;

 protected:
  explicit Inference(const Graph& graph);
  /// Throws Error unless there is one pointer for each input and output.
  void check_counts(std::size_t from, std::size_t to) const;

 private:
  std::vector<InferencePort> inputs_, outputs_;
};

/// On the CPU in fp32, with one thread per stream of the schedule. Weights are the graph's own, or drawn from `seed`
/// if it has none. The arguments are not needed afterwards. Throws Error as validate does (schedule.hpp).
std::unique_ptr<Inference> make_cpu_inference(const Graph& graph, const Schedule& schedule, std::uint64_t seed = 1);

}  // namespace opsched
