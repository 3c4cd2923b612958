// Inference on the GPU with the caller's buffers and stream, compared with the sequential Eigen reference.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/tolerance.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_inputs.hpp"

namespace opsched {
namespace {

using test::random_inputs;

/// Every second one has two inputs and two outputs.
Graph graph_of(std::uint64_t seed) {
  Graph graph = test::RandomCnn(seed).draw(4);
  if (seed % 2 == 0) return graph;
  const Shape shape = graph.op(graph.outputs().front()).output;
  const OpId last = graph.outputs().front(), more = graph.add_input("more", shape);
  graph.add("sum", {{graph.all(last).front(), graph.all(more).front()}}, {Activate{}});
  graph.add("side", {graph.all(last), graph.all(more)},
            {Conv2d{.out_channels = 7, .kernel = {3, 3}, .padding = {1, 1}}});
  graph.end_block("end");
  return graph;
}

/// Runs with buffers in host memory.
std::vector<Tensor> run_on_host(Inference& model, const std::vector<Tensor>& inputs) {
  std::vector<const float*> from;
  std::vector<float*> to;
  std::vector<Tensor> outputs;
  for (const Tensor& input : inputs) from.push_back(input.data.data());
  for (const InferencePort& port : model.outputs())
    outputs.push_back({port.batch, port.shape, std::vector<float>(port.size())});
  for (Tensor& output : outputs) to.push_back(output.data.data());
  model.run(from, to);
  return outputs;
}

/// Runs with the caller's device memory and stream.
std::vector<Tensor> run_on_stream(CudaInference& model, const std::vector<Tensor>& inputs) {
  const Stream stream = make_stream();
  std::vector<DeviceBuffer> buffers;
  std::vector<const float*> from;
  std::vector<float*> to;
  std::vector<Tensor> outputs;
  for (const Tensor& input : inputs) {
    const std::size_t bytes = input.data.size() * sizeof(float);
    buffers.emplace_back(bytes);
    from.push_back(reinterpret_cast<const float*>(buffers.back().data()));
    OPSCHED_CUDA(cudaMemcpy(buffers.back().data(), input.data.data(), bytes, cudaMemcpyHostToDevice));
  }
  for (const InferencePort& port : model.outputs()) {
    outputs.push_back({port.batch, port.shape, std::vector<float>(port.size())});
    buffers.emplace_back(port.size() * sizeof(float));
    to.push_back(reinterpret_cast<float*>(buffers.back().data()));
  }
  model.enqueue(from, to, stream.get());
  OPSCHED_CUDA(cudaStreamSynchronize(stream.get()));
  for (std::size_t i = 0; i < to.size(); ++i)
    OPSCHED_CUDA(
        cudaMemcpy(outputs[i].data.data(), to[i], outputs[i].data.size() * sizeof(float), cudaMemcpyDeviceToHost));
  return outputs;
}

void expect_close(const std::vector<Tensor>& got, const std::vector<Tensor>& want, Precision precision) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_LT(relative_error(got[i], want[i]), 3 * output_tolerance(precision)) << "output " << i;  // random weights
}

class CudaInferenceOf : public testing::TestWithParam<Precision> {};

/// Padded channels, joins, several images.
TEST_P(CudaInferenceOf, RandomGraphsComputeWhatTheReferenceComputesAgainAndAgain) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  CudaRuntime runtime({.precision = GetParam(), .cache_file = "", .device_ids = {}, .progress = {}});
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    const Graph graph = graph_of(seed);
    const auto model = runtime.make_inference(graph, test::random_schedule(graph, 1, Mode::dataflow, seed), seed);
    EXPECT_EQ(model->inputs().size(), graph.inputs().size());
    for (std::uint64_t data : {seed, seed + 100}) {  // the second run must not reuse values of the first
      const std::vector<Tensor> inputs = random_inputs(graph, data), want = reference_outputs(graph, inputs, seed);
      expect_close(run_on_host(*model, inputs), want, GetParam());
      expect_close(run_on_stream(*model, inputs), want, GetParam());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, CudaInferenceOf, testing::ValuesIn(kPrecisions),
                         [](const auto& info) { return to_string(info.param); });

/// Two models of the same structure are distinguished by their weights.
TEST(CudaInferences, ModelsOfOneStructureKeepTheirOwnWeights) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const auto model = [](float weight) {
    Graph graph("one");
    const OpId in = graph.add_input("in", {1, 4, 4});
    graph.add("conv", {graph.all(in)}, {Conv2d{.out_channels = 1}});
    graph.end_block("all");
    WeightTable table;
    table[{1, 0}] = std::make_shared<const ConvWeights>(ConvWeights{{weight}, {0.0f}});
    graph.set_weights(std::make_shared<const WeightTable>(std::move(table)));
    return graph;
  };
  const Graph two = model(2), three = model(3);
  Schedule schedule;
  schedule.devices.resize(1);
  schedule.devices[0].stages.push_back({.groups = {{1}}});
  CudaRuntime runtime({.precision = Precision::fp32, .cache_file = "", .device_ids = {}, .progress = {}});
  const auto first = runtime.make_inference(two, schedule), second = runtime.make_inference(three, schedule);
  const std::vector<Tensor> ones = {{1, {1, 4, 4}, std::vector<float>(16, 1.0f)}};
  const std::vector<Tensor> twos = run_on_host(*first, ones), threes = run_on_host(*second, ones);
  for (const float value : twos[0].data) EXPECT_FLOAT_EQ(value, 2);
  for (const float value : threes[0].data) EXPECT_FLOAT_EQ(value, 3);
  EXPECT_THROW(first->run({}, {}), Error);
}

/// Runs on one stream take place in the order of the calls.
TEST(CudaInferences, RunsOnOneStreamFollowEachOther) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = graph_of(3);
  CudaRuntime runtime({.precision = Precision::fp32, .cache_file = "", .device_ids = {}, .progress = {}});
  const auto model = runtime.make_inference(graph, test::random_schedule(graph, 1, Mode::dataflow, 3), 3);
  const Stream stream = make_stream();
  constexpr int kRuns = 20;
  std::vector<DeviceBuffer> buffers;
  std::vector<std::vector<float*>> to(kRuns);
  for (int run = 0; run < kRuns; ++run) {
    std::vector<const float*> from;
    for (const Tensor& input : random_inputs(graph, 50 + run)) {
      buffers.emplace_back(input.data.size() * sizeof(float));
      OPSCHED_CUDA(
          cudaMemcpy(buffers.back().data(), input.data.data(), buffers.back().bytes(), cudaMemcpyHostToDevice));
      from.push_back(reinterpret_cast<const float*>(buffers.back().data()));
    }
    for (const InferencePort& port : model->outputs())
      to[run].push_back(reinterpret_cast<float*>(buffers.emplace_back(port.size() * sizeof(float)).data()));
    model->enqueue(from, to[run], stream.get());
  }
  OPSCHED_CUDA(cudaStreamSynchronize(stream.get()));
  for (int run = 0; run < kRuns; ++run) {
    std::vector<Tensor> got;
    for (std::size_t i = 0; i < to[run].size(); ++i) {
      const InferencePort& port = model->outputs()[i];
      got.push_back({port.batch, port.shape, std::vector<float>(port.size())});
      OPSCHED_CUDA(cudaMemcpy(got.back().data.data(), to[run][i], port.size() * sizeof(float), cudaMemcpyDeviceToHost));
    }
    expect_close(got, reference_outputs(graph, random_inputs(graph, 50 + run), 3), Precision::fp32);
  }
}

}  // namespace
}  // namespace opsched
