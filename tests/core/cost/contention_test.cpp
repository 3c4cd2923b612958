// The contention model: its predictions for a device whose behaviour it does not know.
#include "core/cost/contention/contention.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/cost/contention/least_squares.hpp"
#include "core/cost/contention/regression.hpp"
#include "core/cost/profile/recorded.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/cost/transfer.hpp"
#include "core/error.hpp"
#include "networks/network.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/true_device.hpp"

namespace opsched {
namespace {

using test::StageDrawer;
using test::TrueDevice;

Graph network(const std::string& name, int batch) {
  NetworkOptions options;
  options.batch = batch;
  return make_network(name, options);
}

/// Latency of groups of tasks.
double together_ms(const std::vector<std::vector<Task>>& groups, const ContentionLaw& law) {
  std::vector<PoweredTask> tasks;
  std::vector<std::vector<int>> indices(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const Task& task : groups[g]) {
      indices[g].push_back(static_cast<int>(tasks.size()));
      tasks.push_back(law.powered(task));
    }
  return concurrent_ms(indices, tasks, law);
}

/// A profile of all operators of a network, of `stages` random stages, and of possible merges.
Profile measure(TrueDevice& device, const Graph& graph, int stages, std::mt19937_64& random) {
  Profile profile(TrueDevice::facts(), Precision::fp32);
  const StageSigner signer(graph);
  const auto add = [&](const Stage& stage) {
    const std::string key = signer.stage(stage);
    if (!profile.find_stage(key)) profile.record_stage(key, device.stage(graph, stage));
  };
  for (OpId id : graph.units()) add({Strategy::concurrent, {{id}}});
  const StageDrawer drawer(graph);
  for (int i = 0; i < stages; ++i) add(drawer.draw(random));
  for (OpId a : graph.units())
    for (OpId b : graph.units())
      if (a < b && can_merge(graph, std::vector<OpId>{a, b})) add({Strategy::merge, {{a, b}}});
  return profile;
}

TEST(ContentionLaw, IsBetweenOneAfterAnotherAndPerfect) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0.05, 1);
  for (int i = 0; i < 500; ++i) {
    ContentionLaw law;
    if (i % 2) law.exponent = 1 + 10 * uniform(random);
    std::vector<std::vector<Task>> groups(1 + random() % 5);
    double sum = 0, work = 0, longest = 0;
    for (auto& group : groups) {
      double chain = 0;
      for (int n = static_cast<int>(random() % 4); n > 0; --n) {
        group.push_back({uniform(random), uniform(random)});
        chain += group.back().ms;
        work += group.back().ms * group.back().utilisation;
      }
      sum += chain;
      longest = std::max(longest, chain);
    }
    const double ms = together_ms(groups, law);
    EXPECT_LE(ms, sum * (1 + 1e-9));
    EXPECT_GE(ms, std::max(work, longest) * (1 - 1e-9));
    if (groups.size() == 1) {
      EXPECT_NEAR(ms, sum, 1e-12);
    }
  }
}

TEST(ContentionLaw, KnownCases) {
  const std::vector<std::vector<Task>> two = {{{2, 1.0}}, {{2, 1.0}}};
  for (double exponent : {1.0, 3.0, std::numeric_limits<double>::infinity()}) {
    ContentionLaw law;
    law.exponent = exponent;
    EXPECT_NEAR(together_ms(two, law), 4, 1e-9);
  }
  ContentionLaw law;
  // Both at utilisation 0.75: 1.5 times longer until the first ends at 1.5; the second has 1 ms left.
  EXPECT_NEAR(together_ms({{{1, 0.75}}, {{2, 0.75}}}, law), 2.5, 1e-9);
  law.fork_ms = 0.1;
  EXPECT_NEAR(together_ms({{{1, 0.5}}, {{1, 0.5}}}, law), 1.1, 1e-9);
  law.chain_ms = 0.25;
  EXPECT_NEAR(together_ms({{{1, 0.5}, {1, 0.5}}}, law), 1.75, 1e-9);
}

TEST(LeastSquares, FindsACurveDespiteOutliers) {
  std::vector<double> x, y;
  for (int i = 0; i < 60; ++i) {
    x.push_back(i * 0.1);
    y.push_back(3 * std::exp(-0.7 * x.back()) + (i % 15 == 7 ? 2.0 : 0.0));
  }
  const auto found = least_squares(
      [&](const std::vector<double>& p, std::vector<double>& r) {
        r.clear();
        for (std::size_t i = 0; i < x.size(); ++i) r.push_back(robust(p[0] * std::exp(-p[1] * x[i]) - y[i], 0.01));
      },
      {1, 1});
  EXPECT_NEAR(found[0], 3, 0.03);
  EXPECT_NEAR(found[1], 0.7, 0.02);
}

TEST(Regression, BeatsItsTrend) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(-2, 2);
  const auto truth = [](const std::vector<double>& v) { return 2 * v[0] - v[1] + std::sin(2 * v[0]) + 5; };
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) {
    rows.push_back({uniform(random), uniform(random), 1.0});
    values.push_back(truth(rows.back()));
  }
  const Regression regression(rows, values);
  double worst = 0;
  for (int i = 0; i < 200; ++i) {
    const std::vector<double> at{uniform(random), uniform(random), 1.0};
    worst = std::max(worst, std::abs(regression.predict(at) - truth(at)));
  }
  EXPECT_LT(worst, 0.3);
  EXPECT_EQ(Regression({}, {}).predict({1, 2}), 0);
}

class ContentionOf : public ::testing::TestWithParam<std::string> {};

TEST_P(ContentionOf, StagesLeftOutArePredicted) {
  TrueDevice device(11);
  std::mt19937_64 random(12);
  const Graph small = network(GetParam(), 1), large = network(GetParam(), 16);
  Profile profile = measure(device, small, 250, random);
  profile.merge(measure(device, large, 150, random));
  const FitReport report = cross_validate(profile, 3);
  EXPECT_GT(report.concurrent.count, 80);
  EXPECT_LT(report.concurrent.median, 0.05);
  EXPECT_LT(report.concurrent.p90, 0.15);
  EXPECT_GT(report.concurrent.rank, 0.97);
  EXPECT_GT(report.solo.rank, 0.9);
  if (report.merge.count > 10) {
    EXPECT_GT(report.merge.rank, 0.8);
    EXPECT_LT(report.merge.median, 0.3);
  }
}
INSTANTIATE_TEST_SUITE_P(Networks, ContentionOf, ::testing::Values("inception_v3", "randwire", "nasnet", "squeezenet"),
                         [](const auto& info) { return info.param; });

TEST(Contention, IsDeterministicAndIndependentOfTheOrderOfRecords) {
  TrueDevice device(3);
  std::mt19937_64 random(4);
  const Graph graph = network("squeezenet", 1);
  const Profile profile = measure(device, graph, 60, random);
  std::vector<std::pair<std::string, ProfileEntry>> records(profile.stages().begin(), profile.stages().end());
  std::ranges::sort(records, [](const auto& a, const auto& b) { return a.first > b.first; });
  Profile other(TrueDevice::facts(), Precision::fp32);
  for (const auto& [key, record] : records) other.record_stage(key, record);
  const ContentionModel a = ContentionModel::fit(profile), b = ContentionModel::fit(other);
  EXPECT_EQ(a.contention_law(), b.contention_law());
  for (const auto& [key, record] : records) EXPECT_EQ(a.stage_ms(key), b.stage_ms(key));
}

TEST(Contention, UtilisationGrowsWithOutputsIfNoOperatorsRanTogether) {
  TrueDevice device(7);
  std::mt19937_64 random(8);
  const Graph graph = network("inception_v3", 1);
  const Profile profile = measure(device, graph, 0, random);
  const ContentionModel model = ContentionModel::fit(profile);
  RecordedCost cost(graph, profile, model);
  std::vector<double> outputs, utilisation;
  for (OpId op : graph.units()) {
    if (graph.op(op).is_join()) continue;
    outputs.push_back(static_cast<double>(graph.op(op).output.size()));
    utilisation.push_back(cost.utilisation(op));
  }
  EXPECT_DOUBLE_EQ(rank_correlation(outputs, utilisation), 1);
  EXPECT_LT(*std::ranges::min_element(utilisation), 0.2);
  EXPECT_GT(*std::ranges::max_element(utilisation), 0.8);
  EXPECT_GT(model.contention_law().start_ms, 0);
}

TEST(Contention, AnswersFromLittle) {
  Profile profile(TrueDevice::facts(), Precision::fp32);
  EXPECT_THROW(ContentionModel::fit(profile), Error);
  profile.record_stage("b1 64x56x56:c64r", {0.01, 0.01, 30});
  const ContentionModel model = ContentionModel::fit(profile);
  EXPECT_TRUE(model.operator_measured("64x56x56:c64r", 1));
  EXPECT_FALSE(model.operator_measured("64x56x56:c64r", 2));
  EXPECT_NEAR(model.stage_ms("b1 64x56x56:c64r"), 0.01, 1e-12);
  for (const char* key :
       {"b1 64x28x28:c64k3p1r", "b8 64x56x56:c64r | 64x56x56:mk3p1", "b1 merge 8x4x4:c8 8x4x4:c8k3p1"}) {
    EXPECT_GT(model.stage_ms(key), 0) << key;
    EXPECT_LT(model.stage_ms(key), 1) << key;
  }
}

TEST(Features, OfAnOperator) {
  Graph graph("g", 2);
  const OpId x = graph.add_input("x", {8, 4, 4}), y = graph.add_input("y", {8, 4, 4});
  const OpId op = graph.add("op", {{{x, 0, 8}, {y, 0, 8}}, {{x, 0, 4}}},
                            {Activate{}, Conv2d{.out_channels = 12, .kernel = {3, 3}, .padding = {1, 1}, .groups = 12},
                             Conv2d{.out_channels = 6}});
  const OperatorFeatures f = operator_features(graph.op(op), 2, 4);
  EXPECT_EQ(f.macs, 2.0 * graph.macs(op));
  EXPECT_EQ(f.bytes_read, (8 + 8 + 4) * 16 * 2 * 4);
  EXPECT_EQ(f.bytes_written, 6 * 16 * 2 * 4);
  EXPECT_EQ(f.weight_bytes, (12 * 10 + 6 * 13) * 4);
  EXPECT_EQ(f.values, 3);
  EXPECT_EQ(f.kernel_area, 9);
  EXPECT_EQ(f.reduction, 9);  // the depthwise layer is the heavier one
  EXPECT_TRUE(f.depthwise);
  EXPECT_FALSE(f.pool);
}

TEST(Features, OfAProductCountWhatIsRepeatedOnce) {
  Graph graph("g", 2);
  const OpId x = graph.add_input("x", {8, 4, 4}), gate = graph.add_input("gate", {8, 1, 1});
  const OpId mask = graph.add_input("mask", {1, 4, 4});
  const OpId op = graph.add("op", {{{x, 0, 8}, {x, 0, 8}}, graph.all(gate), graph.all(mask)}, {}, Combine::product);
  const double bytes = (8 * 16 * 2 + 8 + 16) * 2 * 4;
  EXPECT_EQ(operator_features(graph.op(op), 2, 4).bytes_read, bytes);
  EXPECT_EQ(operator_features(parse_operator_signature(operator_signature(graph, op)), 2, 4).bytes_read, bytes);
}

TEST(Features, OfAMergeAreThoseOfTheMergedConvolution) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 6, 6});
  const OpId a = graph.add("a", {graph.all(x)}, {Conv2d{.out_channels = 4}});
  const OpId b = graph.add("b", {graph.all(x)}, {Conv2d{.out_channels = 6, .kernel = {3, 1}, .padding = {1, 0}}});
  const std::vector<OpId> both{a, b};
  const Operator merged = merged_operator(std::vector<Operator>{graph.op(a), graph.op(b)});
  EXPECT_EQ(*merged.as_conv(), merged_conv(graph, both));
  EXPECT_EQ(merged.output, (Shape{10, 6, 6}));
}

TEST(RecordedCost, AnswersFromTheProfileElseTheModel) {
  TrueDevice device(5);
  std::mt19937_64 random(6);
  const Graph graph = network("squeezenet", 1);
  Profile profile = measure(device, graph, 40, random);
  profile.record_transfer(0, 1, 1000, {0.004, 0, 1});
  profile.record_transfer(0, 1, 1'000'000, {0.008, 0, 1});
  const ContentionModel model = ContentionModel::fit(profile);
  RecordedCost cost(graph, profile, model);
  const StageSigner signer(graph);
  EXPECT_EQ(cost.provenance(), Provenance::recorded);
  int known = 0, unknown = 0;
  const StageDrawer drawer(graph);
  for (int i = 0; i < 200; ++i) {
    const Stage stage = drawer.draw(random);
    const ProfileEntry* record = profile.find_stage(signer.stage(stage));
    EXPECT_EQ(cost.stage_known(stage), record != nullptr);
    if (record) {
      EXPECT_EQ(cost.stage_ms(stage), record->ms);
      ++known;
    } else {
      EXPECT_DOUBLE_EQ(cost.stage_ms(stage), model.stage_ms(signer.stage(stage)));
      EXPECT_EQ(cost.stage_ms(stage), cost.estimate_stage_ms(stage));
      ++unknown;
    }
  }
  EXPECT_GT(known, 10);
  EXPECT_GT(unknown, 10);
  EXPECT_GT(cost.recorded_stages(), 0);
  EXPECT_GT(cost.estimated_stages(), 0);
  for (OpId op : graph.units()) {
    EXPECT_EQ(cost.operator_ms(op), profile.find_stage(signer.solo(op))->ms);
    EXPECT_GT(cost.utilisation(op), 0);
    EXPECT_LE(cost.utilisation(op), 1);
    for (OpId reader : graph.succs(op))
      EXPECT_EQ(cost.transfer_ms(op, reader, 0, 1),
                profile.transfer_ms(0, 1, transfer_bytes(graph, op, reader, Precision::fp32)));
  }
  EXPECT_EQ(cost.transfer_ms(graph.units()[0], graph.units()[1], 1, 1), 0);
  // Links that were never measured get the costs of measured ones, so that schedules for more devices can be simulated.
  EXPECT_EQ(cost.transfer_ms(graph.units()[0], graph.units()[1], 40, 63),
            cost.transfer_ms(graph.units()[0], graph.units()[1], 0, 1));
}

TEST(RecordedCost, FindsMergesThatOlderKernelsCopied) {
  const Graph graph = network("inception_v3", 1);
  TrueDevice device(5);
  std::mt19937_64 random(6);
  Profile profile = measure(device, graph, 1, random);
  Stage merge{Strategy::merge, {{}}};
  for (OpId op : graph.units())
    for (const char* name : {"a3/1x1", "a3/5x5_1", "a3/3x3dbl_1"})
      if (graph.op(op).name == name) merge.groups[0].push_back(op);
  ASSERT_TRUE(can_merge(graph, merge.groups[0]));
  std::string key = StageSigner(graph).stage(merge);
  const std::size_t at = key.find("@copy");
  ASSERT_NE(at, std::string::npos) << key;
  profile.record_stage(key.replace(at, 5, "@c"), {0.123, 0, 1});
  const ContentionModel model = ContentionModel::fit(profile);
  RecordedCost cost(graph, profile, model);
  EXPECT_TRUE(cost.stage_known(merge));
  EXPECT_EQ(cost.stage_ms(merge), 0.123);
}

TEST(RecordedCost, KnowsOperatorsOfANetworkThatWasNeverMeasured) {
  TrueDevice device(5);
  std::mt19937_64 random(6);
  const Graph inception = network("inception_v3", 1), squeezenet = network("squeezenet", 1);
  const Profile profile = measure(device, inception, 100, random);
  const ContentionModel model = ContentionModel::fit(profile);
  RecordedCost cost(squeezenet, profile, model);
  std::vector<double> predicted, measured;
  for (OpId op : squeezenet.units()) {
    predicted.push_back(cost.operator_ms(op));
    measured.push_back(device.stage(squeezenet, {Strategy::concurrent, {{op}}}).ms);
  }
  EXPECT_GT(rank_correlation(predicted, measured), 0.75);
  EXPECT_LT(error_stats(predicted, measured).median, 0.4);
}

TEST(ErrorStats, KnownValues) {
  const std::vector<double> measured{1, 2, 4, 5}, predicted{1.1, 2, 4.4, 4};
  const ErrorStats stats = error_stats(predicted, measured);
  EXPECT_EQ(stats.count, 4);
  EXPECT_NEAR(stats.p90, 0.17, 1e-12);  // between 0.1 and 0.2, because quantile() interpolates
  EXPECT_NEAR(stats.rank, 0.8, 1e-12);
  EXPECT_NEAR(rank_correlation(std::vector<double>{1, 2, 3}, std::vector<double>{9, 4, 1}), -1, 1e-12);
  EXPECT_NEAR(rank_correlation(std::vector<double>{1, 1, 2, 2}, std::vector<double>{3, 3, 7, 7}), 1, 1e-12);
}

TEST(Features, AnAffineLayerIsNoKernelBeforeAPointwiseConvolution) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {8, 5, 5});
  const Conv2d affine{.out_channels = 8, .groups = 8, .act = Activation::relu}, narrow{.out_channels = 4};
  const OpId both = graph.add("both", {graph.all(x)}, {affine, narrow}),
             one = graph.add("one", {graph.all(x)}, {narrow}),
             padded = graph.add("padded", {graph.all(x)}, {affine, Conv2d{.out_channels = 4, .padding = {1, 1}}});
  EXPECT_FALSE(is_chain(graph.op(both)));
  EXPECT_FALSE(is_chain(parse_operator_signature(operator_signature(graph, both))));
  EXPECT_TRUE(is_chain(graph.op(padded)));
  OperatorFeatures got = operator_features(graph.op(both), 2, 4), want = operator_features(graph.op(one), 2, 4);
  EXPECT_EQ(got.weight_bytes - want.weight_bytes, 16 * 4);
  got.weight_bytes = want.weight_bytes;
  EXPECT_EQ(regression_features(got), regression_features(want));
}

}  // namespace
}  // namespace opsched
