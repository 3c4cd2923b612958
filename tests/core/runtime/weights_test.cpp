// Random tensors and weights from seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/merged_weights.hpp"
#include "networks/network.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_graph.hpp"

namespace opsched {
namespace {

double power(const Tensor& t) {
  double sum = 0;
  for (float x : t.data) sum += double{x} * x;
  return sum / static_cast<double>(t.data.size());
}

TEST(Weights, RandomTensorsAreStandard) {
  const Tensor t = random_tensor(2, {8, 100, 100}, 3);
  double mean = 0, fourth = 0;
  for (float x : t.data) {
    mean += x / static_cast<double>(t.data.size());
    fourth += std::pow(x, 4) / static_cast<double>(t.data.size());
  }
  EXPECT_NEAR(mean, 0, 0.01);
  EXPECT_NEAR(power(t), 1, 0.01);
  EXPECT_NEAR(fourth, 2.7, 0.05);  // for a sum of four uniform numbers; 3 for a normal distribution
  EXPECT_NE(random_tensor(2, {8, 100, 100}, 4).data, t.data);
  // A longer tensor begins with the same numbers.
  EXPECT_TRUE(std::ranges::equal(random_tensor(1, {8, 100, 100}, 3).data, std::span(t.data).first(80000)));
}

TEST(Weights, SameBitsEverywhere) {
  // Computed separately, in Python.
  const Tensor t = random_tensor(1, {1, 1, 4}, 1);
  std::vector<std::uint32_t> bits;
  for (float x : t.data) bits.push_back(std::bit_cast<std::uint32_t>(x));
  EXPECT_EQ(bits, (std::vector<std::uint32_t>{0xbe672cb6, 0x3f75a3d6, 0xbed6db01, 0xbf248ef0}));
}

TEST(Weights, DependOnSeedOperatorAndLayer) {
  Graph graph("g");
  const Conv2d conv{.out_channels = 4};
  const OpId in = graph.add_input("in", {4, 8, 8});
  const OpId a = graph.add("a", {graph.all(in)}, {conv, conv}), b = graph.add("b", {graph.all(in)}, {conv});
  const auto weights = [&](OpId op, int layer, std::uint64_t seed) {
    return make_weights(graph, op, layer, seed).weight;
  };
  EXPECT_EQ(weights(a, 0, 1), weights(a, 0, 1));
  EXPECT_NE(weights(a, 0, 1), weights(a, 0, 2));
  EXPECT_NE(weights(a, 0, 1), weights(a, 1, 1));
  EXPECT_NE(weights(a, 0, 1), weights(b, 0, 1));
}

TEST(Weights, MergedKernelsArePaddedAroundTheirCentre) {
  Graph graph("g");
  const OpId in = graph.add_input("in", {3, 8, 8});
  std::vector<OpId> ops;
  for (const auto& [h, w] : {std::pair{1, 1}, {3, 1}, {1, 5}})
    ops.push_back(graph.add("conv" + std::to_string(graph.size()), {graph.all(in)},
                            {Conv2d{.out_channels = 2, .kernel = {h, w}, .padding = {h / 2, w / 2}}}));
  Step step{.kind = Step::Kind::conv, .inputs = {View{0, 0, 3}}, .layer = merged_conv(graph, ops)};
  for (OpId op : ops) step.weights.push_back({op, 0});
  const ConvWeights merged = merged_weights(graph, step, 7);
  ASSERT_EQ(merged.weight.size(), 6u * 3 * 3 * 5);
  ASSERT_EQ(merged.bias.size(), 6u);
  for (int m = 0; m < 6; ++m) {
    const ConvWeights own = make_weights(graph, ops[m / 2], 0, 7);
    const auto [h, w] = graph.op(ops[m / 2]).as_conv()->kernel;
    EXPECT_EQ(merged.bias[m], own.bias[m % 2]);
    for (int c = 0; c < 3; ++c)
      for (int y = -1; y <= 1; ++y)
        for (int x = -2; x <= 2; ++x) {
          const bool inside = std::abs(y) <= h / 2 && std::abs(x) <= w / 2;
          const float expected = inside ? own.weight[((m % 2 * 3 + c) * h + y + h / 2) * w + x + w / 2] : 0.0f;
          EXPECT_EQ(merged.weight[((m * 3 + c) * 3 + y + 1) * 5 + x + 2], expected);
        }
  }
}

TEST(Weights, PaddingInChannelsIsZero) {
  Graph graph("g");
  const OpId in = graph.add_input("in", {3, 8, 8});
  const OpId op = graph.add("conv", {graph.all(in)}, {Conv2d{.out_channels = 2, .kernel = {1, 3}}});
  const ConvWeights own = make_weights(graph, op, 0, 7);
  Conv2d wide = *graph.op(op).as_conv();
  wide.out_channels = 4;
  const Step step{.kind = Step::Kind::conv, .inputs = {View{0, 0, 8}}, .layer = wide, .weights = {{op, 0}}};
  const ConvWeights padded = merged_weights(graph, step, 7);
  ASSERT_EQ(padded.weight.size(), 4u * 8 * 3);
  EXPECT_EQ(padded.bias, (std::vector<float>{own.bias[0], own.bias[1], 0, 0}));
  for (int k = 0; k < 4; ++k)
    for (int c = 0; c < 8; ++c)
      for (int t = 0; t < 3; ++t)
        EXPECT_EQ(padded.weight[(k * 8 + c) * 3 + t], k < 2 && c < 3 ? own.weight[(k * 3 + c) * 3 + t] : 0);
}

/// Smallest and largest root mean square over all outputs, and the largest magnitude.
struct Spread {
  double least = std::numeric_limits<double>::infinity(), most = 0, peak = 0;
};

Spread spread_of(const Graph& graph, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (OpId op : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(op).output, seed));
  Spread spread;
  reference_outputs(graph, inputs, seed, [&](OpId, const Tensor& t) {
    spread.least = std::min(spread.least, std::sqrt(power(t)));
    spread.most = std::max(spread.most, std::sqrt(power(t)));
    for (float x : t.data) spread.peak = std::max(spread.peak, std::abs(double{x}));
  });
  return spread;
}

TEST(Weights, ActivationsOfTheNetworksStayNearOne) {
  for (const NetworkInfo& info : networks()) {
    const Spread spread =
        spread_of(make_network(info.name, {.batch = 1, .image = info.image / 2, .seed = 1, .edge_lists = {}}), 1);
    EXPECT_GT(spread.least, 0.1) << info.name;
    EXPECT_LT(spread.most, 10) << info.name;
    EXPECT_LT(spread.peak, 1000) << info.name;  // the largest number in half precision is 65504
  }
}

TEST(Weights, ActivationsOfRandomGraphsStayInRange) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Spread spread = spread_of(test::RandomCnn(seed, 8).draw(6), seed);
    EXPECT_GT(spread.least, 1e-2) << "seed " << seed;
    EXPECT_LT(spread.most, 1e2) << "seed " << seed;
  }
}

TEST(Weights, RelativeErrorSeesWhatIsWrong) {
  const Tensor a = random_tensor(1, {2, 3, 3}, 1);
  Tensor b = a;
  EXPECT_EQ(relative_error(a, b), 0);
  for (float& x : b.data) x *= 1.001f;
  EXPECT_NEAR(relative_error(b, a), 1e-3, 1e-6);
  b.data[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isinf(relative_error(b, a)));
  EXPECT_TRUE(std::isinf(relative_error(a, b)));
  b = a;
  b.shape = {3, 2, 3};
  EXPECT_TRUE(std::isinf(relative_error(b, a)));
  const Tensor zero{1, {2, 3, 3}, std::vector<float>(18, 0.0f)};
  EXPECT_EQ(relative_error(zero, zero), 0);
  EXPECT_TRUE(std::isinf(relative_error(a, zero)));
}

}  // namespace
}  // namespace opsched
