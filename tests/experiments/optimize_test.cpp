// opsched optimize: every scheduler on one graph within a budget.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/records/records.hpp"
#include "experiments/studies/optimize.hpp"
#include "networks/network.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/failing_device.hpp"

namespace opsched::test {
namespace {

using bench::Attempt;

std::vector<Attempt> optimize_squeezenet(Device& device, const bench::OptimizeOptions& options) {
  const Graph graph = make_network("squeezenet", {});
  const std::unique_ptr<CostModel> costs = device.costs(graph, Precision::fp32);
  return bench::optimize(device, *costs, {.network = "squeezenet", .scheduler = "sequential"}, options, {});
}

const std::vector<std::string> kSome = {"sequential", "wavefront", "dataflow", "ios-both", "dataflow-search", "exact"};

TEST(Optimize, SequentialComesFirstAndTheOthersFastestFirst) {
  const std::unique_ptr<Device> device = open_recorded({.profile = made_up_profile()});
  const std::vector<Attempt> tried = optimize_squeezenet(*device, {.schedulers = kSome});
  ASSERT_EQ(tried.size(), kSome.size());
  EXPECT_EQ(tried.front().timed.record.what.scheduler, "sequential");
  std::set<std::string> names;
  double last = 0;
  for (const Attempt& c : tried) {
    const records::Record& record = c.timed.record;
    names.insert(record.what.scheduler);
    EXPECT_EQ(record.value.has_value(), record.missing.empty());
    EXPECT_EQ(record.missing.empty(), record.what.scheduler != "exact") << record.missing;
    if (!record.value || &c == &tried.front()) continue;
    EXPECT_GE(*record.value, last);
    last = *record.value;
    EXPECT_GT(c.bound_ms, 0);
  }
  EXPECT_EQ(names.size(), kSome.size());
  // Each finds the same as on its own.
  const Graph graph = make_network("squeezenet", {});
  const std::unique_ptr<CostModel> costs = device->costs(graph, Precision::fp32);
  for (const Attempt& c : tried) {
    if (!c.timed.record.value) continue;
    const Schedule alone = make_schedule(c.timed.record.what.scheduler, {.cost = *costs});
    EXPECT_EQ(to_text(c.timed.schedule), to_text(alone)) << c.timed.record.what.scheduler;
  }
}

TEST(Optimize, EqualSchedulesAreTimedOnceAndHaveOneLatency) {
  int latencies = 0;
  FailingDevice device(made_up_profile(), [&](int n) { latencies = n; });
  const std::vector<Attempt> tried = optimize_squeezenet(device, {.schedulers = kSome});
  std::set<std::string> texts;
  for (const Attempt& c : tried) {
    if (!c.timed.record.value) continue;
    const bool fresh = texts.insert(to_text(c.timed.schedule)).second;
    if (fresh) continue;
    const auto first = std::ranges::find_if(tried, [&](const Attempt& o) {
      return o.timed.record.value && to_text(o.timed.schedule) == to_text(c.timed.schedule);
    });
    EXPECT_EQ(*first->timed.record.value, *c.timed.record.value);
    EXPECT_TRUE(!c.same_as.empty() || !first->same_as.empty());
  }
  EXPECT_GT(latencies, static_cast<int>(texts.size())) << "the best were not timed again";
  EXPECT_TRUE(tried[1].timed_in_turns);
}

TEST(Optimize, ABudgetOfNothingLeavesWhatSearchesHadByThen) {
  const std::unique_ptr<Device> device = open_recorded({.profile = made_up_profile()});
  const std::vector<Attempt> tried =
      optimize_squeezenet(*device, {.schedulers = {"wavefront", "dataflow", "dataflow-search"}, .budget_seconds = 0});
  ASSERT_EQ(tried.size(), 4U);
  const auto of = [&](const std::string& scheduler) {
    return *std::ranges::find(tried, scheduler, [](const Attempt& c) { return c.timed.record.what.scheduler; });
  };
  EXPECT_FALSE(of("dataflow").stopped);
  EXPECT_TRUE(of("dataflow-search").stopped);  // its first schedule is plain dataflow
  EXPECT_EQ(of("dataflow-search").timed.record.value, of("dataflow").timed.record.value);
}

TEST(Optimize, ALostDeviceEndsIt) {
  FailingDevice device(made_up_profile(), [](int n) {
    if (n == 2) throw DeviceLost("unspecified launch failure");
  });
  EXPECT_THROW(optimize_squeezenet(device, {.schedulers = kSome}), DeviceLost);
}

TEST(Optimize, TheCommandKeepsTheBestScheduleAndItsRecords) {
  const TempDir folder;
  const std::string best = folder.file("best.json"), out = folder.file("out");
  const ProgramResult result =
      run_program("optimize squeezenet --device sim --profile " + made_up_profile() + " --scheduler " +
                  "sequential,wavefront,dataflow -o " + best + " --out " + out);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "best: "));
  const records::Records records = records::Records::read(out);
  const std::vector<const records::Record*> standing = records.standing();
  ASSERT_EQ(standing.size(), 3U);
  const records::Record* fastest =
      *std::ranges::min_element(standing, {}, [](const records::Record* r) { return r->value.value_or(HUGE_VAL); });
  EXPECT_TRUE(contains(result.out, "best: " + fastest->what.scheduler));
  EXPECT_TRUE(contains(read_file(best), '"' + fastest->what.scheduler + '"'));
  const ProgramResult again =
      run_program("run squeezenet --schedule " + best + " --device sim --profile " + made_up_profile());
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(run_program("optimize squeezenet --scheduler magic --device sim --profile " + made_up_profile()).code, 2);
}

}  // namespace
}  // namespace opsched::test
