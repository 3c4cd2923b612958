// Measuring protocols on a GPU: their results, and how these relate.
#include "core/runtime/protocol.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/statistics.hpp"
#include "networks/network.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

class GpuProtocols : public testing::Test {
 protected:
  void SetUp() override {
    if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
    CudaOptions options;
    options.precision = Precision::tf32;
    runtime_ = std::make_unique<CudaRuntime>(options);
    executor_ = runtime_->make_executor(graph_, schedule_, 1);
  }
  double middle(const std::string& name) { return median(executor_->sample_by(parse_protocol(name))); }

  const Graph graph_ = make_network("squeezenet");
  const Schedule schedule_ = test::random_schedule(graph_, 1, Mode::dataflow, 5);
  std::unique_ptr<CudaRuntime> runtime_;
  std::unique_ptr<Executor> executor_;
};

TEST_F(GpuProtocols, GiveAsManySamplesAsTheySay) {
  for (const char* name : {"replays", "lone", "cold", "rotating", "in-flight=2", "in-flight=3"}) {
    const Protocol protocol = parse_protocol(name);
    const std::vector<double> samples = executor_->sample_by(protocol);
    EXPECT_EQ(static_cast<int>(samples.size()), protocol.samples()) << name;
    EXPECT_GT(*std::ranges::min_element(samples), 0) << name;
  }
}

TEST_F(GpuProtocols, AnswerDifferentQuestions) {
  const double burst = executor_->measure({}).median;
  EXPECT_NEAR(middle("replays") / burst, 1, 0.1);
  EXPECT_GT(middle("lone"), burst);               // includes the launch and the wait on the host
  EXPECT_GT(middle("cold"), burst);               // loads 5 MB of weights from memory
  EXPECT_LT(middle("in-flight=2"), 1.1 * burst);  // at worst the runs take turns
}

TEST_F(GpuProtocols, LeaveTheResultsAlone) {
  std::vector<Tensor> inputs;
  for (OpId id : graph_.inputs()) inputs.push_back(random_tensor(graph_.batch(), graph_.op(id).output, 11));
  const std::vector<Tensor> before = executor_->run(inputs);
  for (const char* name : {"cold", "rotating", "in-flight=2"}) executor_->sample_by(parse_protocol(name));
  const std::vector<Tensor> after = executor_->run(inputs);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].data, after[i].data);
}

TEST_F(GpuProtocols, ReadEnergyOrSayThatTheyCannot) {
  try {
    const std::vector<double> millijoules = executor_->sample_by(parse_protocol("energy"));
    const double seconds = executor_->measure({}).median / 1000;
    const double watts = median(millijoules) / 1000 / seconds;
    EXPECT_GT(watts, 20);
    EXPECT_LT(watts, 1500);
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("energy cannot be read"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace opsched
