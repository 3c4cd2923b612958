// Records of kernel refinements, and what opsched tune refuses.
#include "experiments/studies/tuning_records.hpp"

#include <gtest/gtest.h>

#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/fake_tuner.hpp"

namespace opsched::test {
namespace {

/// One schedule of two problems, as measured before.
bench::Timed measured_before() {
  bench::Timed timed;
  timed.record.what.network = "net";
  timed.record.what.scheduler = "dataflow";
  timed.record.value = 2.1;
  timed.record.unit = "ms";
  timed.record.spread = records::Spread{.p90 = 2.2};
  timed.kernels = {{"p", "k0"}, {"q", "k0"}, {"pool", "strip"}};
  return timed;
}

TEST(TuningRecords, HoldBothLatenciesWithTheirKernels) {
  FakeTuner tuner;
  tuner.add_conv("p", 0.5, 0.6, 0.4, 0.6);
  tuner.add_conv("q", 0.5, 0.6, 0.6, 0.6);
  KernelRefinement refinement(tuner, {});
  refinement.run();
  const std::vector<bench::Timed> both = tuning_records(refinement, {measured_before()}, "spread+late");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].record.key(), "net/dataflow/batch:1/fp32/gpus:1{kernels=before,study=tune,tried=spread+late}");
  EXPECT_EQ(both[1].record.key(), "net/dataflow/batch:1/fp32/gpus:1{kernels=after,study=tune,tried=spread+late}");
  EXPECT_NEAR(*both[0].record.value, 2.0, 1e-9);
  EXPECT_NEAR(*both[1].record.value, 1.9, 1e-9);
  EXPECT_EQ(both[0].kernels, measured_before().kernels);
  EXPECT_EQ(both[1].kernels, (records::KernelChoices{{"p", "k0/spread1"}, {"q", "k0"}, {"pool", "strip"}}));
  for (const bench::Timed& one : both) {
    EXPECT_EQ(one.record.number("changed"), 1);
    EXPECT_EQ(one.record.number("comparisons"), refinement.comparisons());
    EXPECT_TRUE(one.record.texts.empty());
    EXPECT_FALSE(one.record.spread) << "it belongs to another measurement";
    EXPECT_NO_THROW(records::read_line(records::to_line(one.record)));
  }
}

TEST(TuningRecords, WithoutAChangeThereIsOneMeasurement) {
  FakeTuner tuner;
  tuner.add_conv("p", 0.5, 0.6, 0.6, 0.6);
  KernelRefinement refinement(tuner, {});
  refinement.run();
  const std::vector<bench::Timed> all = tuning_records(refinement, {measured_before()}, "spread");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].record.labels.at("kernels"), "before");
  EXPECT_EQ(all[0].record.value, measured_before().record.value);
  EXPECT_EQ(all[0].record.number("changed"), 0);
  EXPECT_TRUE(all[0].record.spread);
}

TEST(TuningRecords, SayThatChangesWereUndone) {
  FakeTuner tuner;
  tuner.add("p", 1, {{0.1, 0.5}, {0.1, 0.5}});
  int asked = 0;
  tuner.before_comparison = [&] {
    if (++asked <= 2) tuner.lucky["p/k1"] = 0.1;
  };
  KernelRefinement refinement(tuner, {});
  refinement.run();
  ASSERT_TRUE(refinement.taken_back());
  const std::vector<bench::Timed> both = tuning_records(refinement, {measured_before()}, "kernels");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_TRUE(contains(both[1].record.texts.at("outcome"), "undone"));
}

TEST(Tune, RefusesWhatItCannotTry) {
  EXPECT_TRUE(contains(run_program("tune squeezenet --try speed").err, "--try"));
  EXPECT_TRUE(contains(run_program("tune squeezenet --min-gain -0.1").err, "--min-gain"));
  EXPECT_TRUE(contains(run_program("tune squeezenet --candidates 0").err, "--candidates"));
}

}  // namespace
}  // namespace opsched::test
