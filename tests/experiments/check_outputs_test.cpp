// Outputs of schedules are compared operator by operator, and outputs that cannot be compared are reported.
#include "experiments/device/check_outputs.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/error.hpp"
#include "core/graph/early_relu.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "networks/network.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/device_cost.hpp"
#include "tests/support/failing_device.hpp"
#include "tests/support/random_cells.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched::test {
namespace {

/// Computes on the CPU and corrupts the output of one operator.
class WrongDevice final : public FailingDevice {
 public:
  WrongDevice(std::string op, float by, const std::string& profile = made_up_profile())
      : FailingDevice(profile, [](int) {}), op_(std::move(op)), by_(by) {}

  int relieved = 0;  ///< operators without their ReLU, in all executors

  std::unique_ptr<Executor> executor(CostModel& costs, const Schedule& schedule, Precision, std::uint64_t seed,
                                     Waits) override {
    for (OpId op : costs.graph().units()) relieved += costs.graph().op(op).relieved;
    return std::make_unique<WrongExecutor>(make_cpu_executor(costs.graph(), schedule, seed), costs.graph(), op_, by_);
  }

 private:
  class WrongExecutor final : public Executor {
   public:
    WrongExecutor(std::unique_ptr<Executor> inner, const Graph& graph, const std::string& op, float by)
        : inner_(std::move(inner)), by_(by) {
      const std::vector<OpId> outputs = graph.outputs();
      for (std::size_t i = 0; i < outputs.size(); ++i)
        if (graph.op(outputs[i]).name.starts_with(op)) spoilt_ = i;
    }
    std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
      std::vector<Tensor> outputs = inner_->run(inputs);
      if (spoilt_ < outputs.size())
        for (float& value : outputs[spoilt_].data) value *= 1 + by_;
      return outputs;
    }
    std::vector<double> sample(int count) override { return inner_->sample(count); }
    Measurement measure(const MeasureOptions& options) override { return inner_->measure(options); }
    std::int64_t activation_bytes(int device) const override { return inner_->activation_bytes(device); }
    std::int64_t transfer_bytes() const override { return inner_->transfer_bytes(); }

   private:
    std::unique_ptr<Executor> inner_;
    float by_;
    std::size_t spoilt_ = ~std::size_t{0};
  };

  std::string op_;
  float by_;
};

TEST(CheckOutputs, EveryOperatorOfAnyScheduleIsCompared) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    const Graph graph = RandomCnn(seed).draw(4);
    const int devices = 1 + static_cast<int>(seed % 3);
    for (const Mode mode : {Mode::barrier, Mode::dataflow}) {
      const Schedule schedule = random_schedule(graph, devices, mode, seed);
      const OutputCheck check = check_outputs(graph, schedule, nullptr, Precision::fp32, seed);
      EXPECT_EQ(check.compared, static_cast<int>(graph.units().size()));
      EXPECT_LE(check.outputs, 1e-5);
      EXPECT_LE(check.operators, 3e-5);
      EXPECT_GE(graph.find(check.worst), 0);
      EXPECT_EQ(check.remark, "");
    }
  }
}

TEST(CheckOutputs, AnOperatorThatIsWrongIsNamed) {
  const Graph graph = make_network("squeezenet", {.batch = 1, .image = 64});
  const Schedule schedule = random_schedule(graph, 1, Mode::dataflow, 1);
  for (const char* op : {"fire5/squeeze", "tail/pool"}) {
    WrongDevice device(op, 0.01f);
    try {
      check_outputs(graph, schedule, &device, Precision::fp32, 1);
      ADD_FAILURE() << op;
    } catch (const std::runtime_error& e) {
      EXPECT_TRUE(contains(e.what(), "'" + std::string(op) + "'")) << e.what();
      EXPECT_TRUE(contains(e.what(), "0.01")) << e.what();
    }
  }
  WrongDevice right("no such operator", 1);
  EXPECT_LE(check_outputs(graph, schedule, &right, Precision::fp32, 1).operators, 1e-5);
}

/// A folder with a profile of all operators, measured with these kernels.
void measure_operators(const TempDir& folder, const Graph& graph, const std::string& kernels) {
  DeviceFacts facts = TrueDevice::facts();
  facts.kernels = kernels;
  Profile profile(facts, Precision::fp32);
  DeviceCost costs(graph, profile, 1);
  for (OpId op : graph.units()) costs.operator_ms(op);
  profile.save(folder.file("profile-fp32.json"));
}

/// A device with early ReLU is compared with the reference with early ReLU, in every run of the check.
TEST(CheckOutputs, FollowsMovedRelus) {
  const Graph graph = RandomCells(6).draw(12);
  const Schedule schedule = random_schedule(graph, 1, Mode::dataflow, 1);
  const TempDir old_folder, new_folder;
  measure_operators(old_folder, graph, "13");
  measure_operators(new_folder, graph, "15");
  WrongDevice before("no such operator", 1, old_folder.path()), now("no such operator", 1, new_folder.path());
  EXPECT_EQ(check_outputs(graph, schedule, &before, Precision::fp32, 1).compared, 12);
  EXPECT_EQ(check_outputs(graph, schedule, &now, Precision::fp32, 1).compared, 12);
  EXPECT_EQ(before.relieved, 0);
  const auto relieved = std::ranges::count(with_early_relu(graph)->relu_moves().relieved, true);
  EXPECT_GT(relieved, 0);
  EXPECT_EQ(now.relieved, 2 * relieved);  // one run for the outputs, one for all operators
  int wrong = 0;
  for (OpId op : graph.units()) {
    WrongDevice device(graph.op(op).name + " (observed)", 0.01f, new_folder.path());
    if (graph.succs(op).empty()) continue;
    EXPECT_THROW(check_outputs(graph, schedule, &device, Precision::fp32, 1), std::runtime_error) << graph.op(op).name;
    ++wrong;
  }
  EXPECT_GT(wrong, 3);
}

/// Two convolutions that nearly cancel: their sum is only the share `kept` of the first.
Graph difference(float kept) {
  Graph graph("difference");
  const OpId in = graph.add_input("in", {1, 16, 16});
  const OpId one = graph.add("one", {graph.all(in)}, {Conv2d{.out_channels = 1}});
  const OpId other = graph.add("other", {graph.all(in)}, {Conv2d{.out_channels = 1}});
  graph.add("sum", {{graph.all(one).front(), graph.all(other).front()}}, {});
  graph.end_block("all");
  WeightTable table;
  table[{one, 0}] = std::make_shared<const ConvWeights>(ConvWeights{{1.1f}, {0}});
  table[{other, 0}] = std::make_shared<const ConvWeights>(ConvWeights{{1.1f * (kept - 1)}, {0}});
  graph.set_weights(std::make_shared<const WeightTable>(std::move(table)));
  return graph;
}

/// The same error is a fault in one graph and rounding in another, which amplifies rounding errors. There, only a
/// larger error is a fault.
TEST(CheckOutputs, WhatRoundingDoesToAGraphIsTolerated) {
  const auto check = [](float kept, float wrong, Precision precision) {
    const Graph graph = difference(kept);
    WrongDevice device("sum", wrong);
    check_outputs(graph, random_schedule(graph, 1, Mode::barrier, 1), &device, precision, 1);
  };
  EXPECT_NO_THROW(check(0.5f, 0.001f, Precision::tf32));
  EXPECT_THROW(check(0.5f, 0.004f, Precision::tf32), std::runtime_error);
  EXPECT_NO_THROW(check(0.02f, 0.004f, Precision::tf32));
  EXPECT_THROW(check(0.02f, 0.2f, Precision::tf32), std::runtime_error);
  EXPECT_NO_THROW(check(0.02f, 0.015f, Precision::fp16));
  EXPECT_THROW(check(0.02f, 0.004f, Precision::fp32), std::runtime_error);
}

TEST(CheckOutputs, WhatDoesNotFitFp16IsSaid) {
  Graph graph("large");
  const OpId in = graph.add_input("in", {2, 8, 8});
  const OpId near = graph.add("near", {graph.all(in)}, {Conv2d{.out_channels = 2}});
  const OpId far = graph.add("far", {graph.all(near)}, {Conv2d{.out_channels = 2}});
  graph.end_block("all");
  WeightTable table;
  table[{near, 0}] = table[{far, 0}] = std::make_shared<const ConvWeights>(ConvWeights{{900, 0, 0, 900}, {0, 0}});
  graph.set_weights(std::make_shared<const WeightTable>(std::move(table)));
  const Schedule schedule = random_schedule(graph, 1, Mode::barrier, 1);
  WrongDevice right("no such operator", 1);
  EXPECT_LE(check_outputs(graph, schedule, &right, Precision::tf32, 1).outputs, 1e-5);
  try {
    check_outputs(graph, schedule, &right, Precision::fp16, 1);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_TRUE(contains(e.what(), "operator 'far' reaches")) << e.what();
  }
}

/// A model whose own weights make the output independent of the input.
TEST(CheckOutputs, OutputsThatCannotTellAreNamedAndCheckedWithOtherWeights) {
  Graph graph("dead");
  const OpId in = graph.add_input("in", {3, 8, 8});
  const OpId dead = graph.add("dead", {graph.all(in)}, {Conv2d{.out_channels = 2, .act = Activation::relu}});
  const OpId last = graph.add("last", {graph.all(dead)}, {Conv2d{.out_channels = 2}});
  graph.end_block("all");
  Graph drawn = graph;
  WeightTable table;
  table[{dead, 0}] = std::make_shared<const ConvWeights>(ConvWeights{std::vector<float>(6, 0.0f), {-1, 0}});
  table[{last, 0}] = std::make_shared<const ConvWeights>(ConvWeights{std::vector<float>(4, 1.0f), {1, 2}});
  graph.set_weights(std::make_shared<const WeightTable>(std::move(table)));
  Schedule schedule;
  schedule.devices.resize(1);
  schedule.devices[0].stages = {{.groups = {{dead}}}, {.groups = {{last}}}};
  const OutputCheck check = check_outputs(graph, schedule, nullptr, Precision::fp32, 1);
  EXPECT_TRUE(contains(check.remark, "'last'") && contains(check.remark, "drawn weights")) << check.remark;
  EXPECT_EQ(check_outputs(drawn, schedule, nullptr, Precision::fp32, 1).remark, "");
}

TEST(CheckOutputs, RandomWeightsKeepTheInputVisibleInEveryNetwork) {
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name, {.batch = 1, .image = 96});
    Schedule schedule;
    schedule.devices.resize(1);
    for (OpId op : graph.units()) schedule.devices[0].stages.push_back({.groups = {{op}}});
    EXPECT_EQ(check_outputs(graph, schedule, nullptr, Precision::fp32, 1).remark, "") << info.name;
  }
}

}  // namespace
}  // namespace opsched::test
