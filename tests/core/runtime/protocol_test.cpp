// Measuring protocols: their names, and their results on the CPU.
#include "core/runtime/protocol.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

std::string protocol_error(const std::string& text) {
  try {
    parse_protocol(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Protocols, EveryNameIsReadAsItIsWritten) {
  for (const char* name : {"burst", "replays", "lone", "cold", "rotating", "in-flight=2", "in-flight=64", "energy"})
    EXPECT_EQ(parse_protocol(name).name(), name);
  EXPECT_EQ(parse_protocol("in-flight=3").in_flight, 3);
  EXPECT_EQ(parse_protocol("energy").unit(), "mJ");
  EXPECT_GE(parse_protocol("replays").samples(), 1000);
}

TEST(Protocols, UnknownNamesAreErrorsThatListTheKnownOnes) {
  for (const char* name : {"replay", "", "Lone", "in_flight=2"})
    EXPECT_TRUE(test::contains(protocol_error(name), "burst, replays, lone, cold, rotating, in-flight=N, energy"))
        << name;
  for (const char* name : {"in-flight", "in-flight=", "in-flight=1", "in-flight=65", "in-flight=2x"})
    EXPECT_TRUE(test::contains(protocol_error(name), "in-flight=2")) << name;
  EXPECT_TRUE(test::contains(protocol_error("lone=2"), "takes no number"));
}

class CpuProtocols : public testing::Test {
 protected:
  const Graph graph_ = test::RandomCnn(3).draw(2);
  const Schedule schedule_ = test::random_schedule(graph_, 2, Mode::dataflow, 5);
  const std::unique_ptr<Executor> executor_ = make_cpu_executor(graph_, schedule_, 1);
};

TEST_F(CpuProtocols, GiveAsManySamplesAsTheySay) {
  for (const char* name : {"lone", "rotating", "in-flight=2"}) {
    const Protocol protocol = parse_protocol(name);
    const std::vector<double> samples = executor_->sample_by(protocol);
    EXPECT_EQ(static_cast<int>(samples.size()), protocol.samples()) << name;
    EXPECT_GT(*std::ranges::min_element(samples), 0) << name;
  }
}

TEST_F(CpuProtocols, SayWhatTheyCannot) {
  EXPECT_THROW(executor_->sample_by(parse_protocol("energy")), Error);
  EXPECT_THROW(executor_->sample_by(parse_protocol("burst")), Error);
}

TEST_F(CpuProtocols, LeaveTheResultsAlone) {
  std::vector<Tensor> inputs;
  for (OpId id : graph_.inputs()) inputs.push_back(random_tensor(graph_.batch(), graph_.op(id).output, 11));
  const std::vector<Tensor> before = executor_->run(inputs);
  executor_->sample_by(parse_protocol("rotating"));
  const std::vector<Tensor> after = executor_->run(inputs);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].data, after[i].data);
}

TEST(HostSamples, TimeTheRunAndNotWhatComesBefore) {
  std::string calls;
  const std::vector<double> ms = host_samples(
      3, [&](int i) { calls += std::to_string(i); }, [&] { calls += "r"; });
  EXPECT_EQ(calls, "0r1r2r");
  EXPECT_EQ(ms.size(), 3u);
}

}  // namespace
}  // namespace opsched
