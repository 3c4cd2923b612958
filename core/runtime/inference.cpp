#include "core/runtime/inference.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/names.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"

namespace opsched {
namespace {

std::size_t port_of(const std::vector<InferencePort>& ports, const std::string& name, const std::string& what) {
  const auto it = std::ranges::find(ports, name, &InferencePort::name);
  if (it == ports.end())
    throw Error("the model has no " + what + " '" + name + "'; there are: " + joined(ports, &InferencePort::name));
  return static_cast<std::size_t>(it - ports.begin());
}

/// Copies through the executor's own tensors.
class CpuInference final : public Inference {
 public:
  CpuInference(const Graph& graph, const Schedule& schedule, std::uint64_t seed)
      : Inference(graph), executor_(make_cpu_executor(graph, schedule, seed)) {
    for (const InferencePort& port : inputs())
      tensors_.push_back({port.batch, port.shape, std::vector<float>(port.size())});
  }

  void run(const std::vector<const float*>& from, const std::vector<float*>& to) override {
    check_counts(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) std::copy_n(from[i], inputs()[i].size(), tensors_[i].data.begin());
    const std::vector<Tensor> results = executor_->run(tensors_);
    for (std::size_t i = 0; i < to.size(); ++i) std::ranges::copy(results[i].data, to[i]);
  }

 private:
  std::unique_ptr<Executor> executor_;
  std::vector<Tensor> tensors_;
};

}  // namespace

Inference::Inference(const Graph& graph) {
  for (OpId id : graph.inputs()) inputs_.push_back({graph.op(id).name, graph.batch(), graph.op(id).output});
  const std::vector<OpId> ids = graph.outputs();
  const std::vector<std::string> names = graph.output_names();
  for (std::size_t i = 0; i < ids.size(); ++i) outputs_.push_back({names[i], graph.batch(), graph.op(ids[i]).output});
}

std::size_t Inference::input(const std::string& name) const { return port_of(inputs_, name, "input"); }
std::size_t Inference::output(const std::string& name) const { return port_of(outputs_, name, "output"); }

void Inference::check_counts(std::size_t from, std::size_t to) const {
  if (from != inputs_.size() || to != outputs_.size())
    throw Error("the model has " + std::to_string(inputs_.size()) + " inputs and " + std::to_string(outputs_.size()) +
                " outputs, not " + std::to_string(from) + " and " + std::to_string(to));
}

std::unique_ptr<Inference> make_cpu_inference(const Graph& graph, const Schedule& schedule, std::uint64_t seed) {
  return std::make_unique<CpuInference>(graph, schedule, seed);
}

}  // namespace opsched
