// Schedules of every network on the GPU, compared with the sequential Eigen reference.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/cost/profile/profile.hpp"
#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/tolerance.hpp"
#include "core/statistics.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

DeviceFacts facts_of(const CudaDevice& d) {
  DeviceFacts facts;
  facts.name = d.name;
  facts.compute_capability = d.compute_capability;
  facts.kernels = std::to_string(kernels_version());
  return facts;
}

class OnTheGpu : public testing::TestWithParam<std::tuple<std::string, Precision>> {};

TEST_P(OnTheGpu, SchedulesComputeWhatTheReferenceComputes) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const auto& [name, precision] = GetParam();
  const Graph graph = make_network(name);
  CudaRuntime runtime({.precision = precision, .cache_file = "", .device_ids = {}, .progress = {}});
  Profile profile(facts_of(runtime.device()), precision);
  const auto cost = runtime.make_cost(graph, profile);
  constexpr std::uint64_t kSeed = 7;
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, 11));
  const std::vector<Tensor> want = reference_outputs(graph, inputs, kSeed);
  for (const char* scheduler : {"sequential", "wavefront", "dataflow"}) {
    const Schedule schedule = make_schedule(scheduler, {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
    const auto executor = runtime.make_executor(cost->graph(), schedule, kSeed);
    const std::vector<Tensor> got = executor->run(inputs);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_LT(relative_error(got[i], want[i]), output_tolerance(precision)) << name << " " << scheduler;
  }
  // Any valid schedule, including merges and unusual streams; with ReLUs where the network has them, and early.
  for (Mode mode : {Mode::barrier, Mode::dataflow})
    for (const Graph* relus : {&graph, &cost->graph()}) {
      const Schedule schedule = test::random_schedule(graph, 1, mode, kSeed);
      const std::vector<Tensor> got = runtime.make_executor(*relus, schedule, kSeed)->run(inputs);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LT(relative_error(got[i], want[i]), output_tolerance(precision))
            << name << " random, " << to_string(mode) << (relus == &graph ? "" : ", as the costs have it");
    }
}

INSTANTIATE_TEST_SUITE_P(Networks, OnTheGpu,
                         testing::Combine(testing::Values("squeezenet", "inception_v3", "randwire", "nasnet"),
                                          testing::ValuesIn(kPrecisions)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + to_string(std::get<1>(info.param));
                         });

TEST(CudaExecutor, GivesSamplesAndNamesItsKernels) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = make_network("squeezenet");
  CudaOptions options;
  options.precision = Precision::fp16;
  CudaRuntime runtime(options);
  Profile profile(facts_of(runtime.device()), options.precision);
  const auto cost = runtime.make_cost(graph, profile);
  const Schedule schedule = make_schedule("dataflow", {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
  const auto executor = runtime.make_executor(graph, schedule, 1);
  for (int count : {1, 9, 25}) {
    const std::vector<double> ms = executor->sample(count);
    ASSERT_EQ(static_cast<int>(ms.size()), count);
    EXPECT_GT(*std::ranges::min_element(ms), 0);
  }
  const Measurement measured = executor->measure({});
  EXPECT_NEAR(median(executor->sample(90)) / measured.median, 1, 0.1);
  EXPECT_LE(measured.median, measured.p90);
  EXPECT_LE(measured.p90, measured.p99);
  EXPECT_LE(measured.p99, measured.max);
  EXPECT_EQ(executor->clocks().sm_mhz > 0, measured.sm_clock_mhz > 0);
  const std::vector<KernelChoice> kernels = executor->kernels();
  EXPECT_GT(kernels.size(), 10u);
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    EXPECT_FALSE(kernels[i].kernel.empty()) << kernels[i].problem;
    if (i > 0) EXPECT_LT(kernels[i - 1].problem, kernels[i].problem);
  }
}

/// Distributes the units over the devices in turn, so that nearly every tensor is transferred.
Schedule spread(const Graph& graph, int devices) {
  Schedule schedule{
      .graph = graph.name(), .scheduler = "spread", .mode = Mode::barrier, .devices = {}, .launch_order = {}};
  schedule.devices.resize(static_cast<std::size_t>(devices));
  int next = 0;
  for (OpId op : graph.units())
    schedule.devices[next++ % devices].stages.push_back({.strategy = Strategy::concurrent, .groups = {{op}}});
  return schedule;
}

TEST(SeveralGpus, ComputeWhatTheReferenceComputesHoweverTensorsTravel) {
  const int gpus = std::min<int>(4, static_cast<int>(cuda_devices().usable.size()));
  if (gpus < 2) GTEST_SKIP() << "fewer than two GPUs";
  const Graph graph = make_network("squeezenet", {.batch = 2, .image = 0, .seed = 1, .edge_lists = {}});
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, 11));
  for (Precision precision : {Precision::fp32, Precision::fp16})
    for (bool through_host : {false, true}) {
      CudaOptions options;
      options.precision = precision;
      options.through_host = through_host;
      CudaRuntime runtime(options);
      const std::vector<Tensor> want = runtime.make_executor(graph, spread(graph, 1), 5)->run(inputs);
      const auto executor = runtime.make_executor(graph, spread(graph, gpus), 5);
      EXPECT_GT(executor->transfer_bytes(), 0);
      const std::vector<Tensor> got = executor->run(inputs);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LT(relative_error(got[i], want[i]), output_tolerance(precision))
            << (through_host ? "through the host" : "peers");
      EXPECT_GT(executor->measure({}).median, 0);
    }
}

TEST(CudaRuntime, NamesAGpuThatIsNotThere) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  EXPECT_THROW(CudaRuntime({.precision = Precision::fp32, .cache_file = "", .device_ids = {99}, .progress = {}}),
               Error);
}

TEST(CudaRuntime, SaysThatThereIsNoGpu) {
  if (!cuda_devices().usable.empty()) GTEST_SKIP() << "there is a GPU";
  EXPECT_THROW(CudaRuntime(CudaOptions{}), Error);
}

}  // namespace
}  // namespace opsched
