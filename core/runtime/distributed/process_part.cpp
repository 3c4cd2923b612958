#include "core/runtime/distributed/process_part.hpp"

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace opsched {
namespace {

using nlohmann::json;

std::string tensor_bytes(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size() * sizeof(float)};
}

Tensor tensor_of(const std::string& bytes, int batch, const Shape& shape) {
  Tensor tensor{batch, shape, std::vector<float>(static_cast<std::size_t>(batch * shape.size()))};
  if (bytes.size() != tensor.data.size() * sizeof(float))
    throw Error("a tensor of " + std::to_string(bytes.size()) + " bytes came where " +
                std::to_string(tensor.data.size() * sizeof(float)) + " are expected");
  std::memcpy(tensor.data.data(), bytes.data(), bytes.size());
  return tensor;
}

std::vector<int> processes_of(const std::vector<View>& views, const Program& program, std::span<const int> process_of) {
  std::vector<int> processes;
  for (const View& view : views) processes.push_back(process_of[program.buffers[view.buffer].device]);
  return processes;
}

}  // namespace

ProcessPart::ProcessPart(ProcessGroup& processes, PartRuntime& runtime, PartRequest request)
    : processes_(processes), request_(std::make_unique<PartRequest>(std::move(request))) {
  agree([&] { divide(runtime); });
  agree([&] { make_ready(runtime); });
  hear(processes_.gather(report()));
}

/// Throws Error in all processes if `action` throws in one.
void ProcessPart::agree(const std::function<void()>& action) {
  std::string why;
  try {
    action();
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {
    why = e.what();
  }
  const std::vector<std::string> reasons = processes_.gather(why);
  for (std::size_t r = 0; r < reasons.size() && why.empty(); ++r)
    if (!reasons[r].empty()) why = "rank " + std::to_string(r) + ": " + reasons[r];
  why = processes_.broadcast(why);
  if (!why.empty()) throw Error(why);
}

void ProcessPart::divide(PartRuntime& runtime) {
  const LoweringOptions options = runtime.lowering(*request_);
  whole_ = request_->hops ? lower(*request_->hops, static_cast<int>(request_->process_of.size()), options)
                          : lower(request_->graph, request_->schedule, options);
  if (processes_.leads()) {  // one process verifies what holds for all parts
    std::vector<ProgramPart> parts =
        partition(whole_, request_->process_of, processes_.size(), runtime.most_channels());
    verify_messages(parts);
    part_ = std::move(parts.front());
  } else {
    part_ = part_of(whole_, request_->process_of, processes_.rank(), runtime.most_channels());
  }
  ports_ = {processes_of(whole_.inputs, whole_, request_->process_of),
            processes_of(whole_.outputs, whole_, request_->process_of)};
  runtime.require(part_);
}

void ProcessPart::make_ready(PartRuntime& runtime) {
  executor_ = runtime.make(*request_, part_);
  ProgramPart idle = part_;
  idle.program = {.arena_bytes = std::vector<std::int64_t>(part_.devices.size(), 0),
                  .streams = std::vector<int>(part_.devices.size(), 0)};
  idle.steps = idle.inputs = idle.outputs = {};
  idle_ = runtime.make(*request_, idle);
}

std::string ProcessPart::report() const {
  json kernels = json::array();
  for (const KernelChoice& choice : executor_->kernels()) kernels.push_back({choice.problem, choice.kernel});
  return kernels.dump();
}

void ProcessPart::hear(const std::vector<std::string>& reports) {
  std::map<std::string, std::string> chosen;
  for (const std::string& text : reports)
    for (const json& choice : json::parse(text)) chosen.emplace(choice.at(0), choice.at(1));
  for (const auto& [problem, kernel] : chosen) kernels_.push_back({problem, kernel});
}

std::vector<Tensor> ProcessPart::run(const std::vector<Tensor>& inputs) {
  const int batch = request_->graph.batch();
  std::vector<Tensor> own;
  for (std::size_t i = 0; i < ports_.inputs.size(); ++i) {
    if (processes_.leads() && ports_.inputs[i] != 0) processes_.send_text(ports_.inputs[i], tensor_bytes(inputs.at(i)));
    if (ports_.inputs[i] != processes_.rank()) continue;
    own.push_back(processes_.leads()
                      ? inputs.at(i)
                      : tensor_of(processes_.receive_text(0), batch, shape_of(whole_, whole_.inputs[i])));
  }
  std::vector<Tensor> results = executor_->run(own), outputs;
  std::size_t next = 0;
  for (std::size_t i = 0; i < ports_.outputs.size(); ++i) {
    const bool here = ports_.outputs[i] == processes_.rank();
    if (here && !processes_.leads()) processes_.send_text(0, tensor_bytes(results.at(next)));
    if (processes_.leads())
      outputs.push_back(
          here ? std::move(results.at(next))
               : tensor_of(processes_.receive_text(ports_.outputs[i]), batch, shape_of(whole_, whole_.outputs[i])));
    next += here ? 1 : 0;
  }
  return outputs;
}

std::vector<double> ProcessPart::sample(int count) { return executor_->sample(count); }
std::vector<double> ProcessPart::sample_idle(int count) { return idle_->sample(count); }

}  // namespace opsched
