// The arena: which schedulers are ranked, how, and which are not.
#include "experiments/studies/arena.hpp"

#include <gtest/gtest.h>

#include "core/cost/signature/signature.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/records/record_file.hpp"
#include "networks/network.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/programs.hpp"

namespace opsched {
namespace {

using records::Record;
using test::contains;

ArenaEntry entry(const std::string& schedule, double ms, double error = 0.01) {
  return {.what = {.network = "n", .scheduler = schedule}, .schedule = schedule, .ms = ms, .error = error};
}

std::string ranks(std::vector<ArenaEntry> entries) {
  rank(entries);
  std::string text;
  for (const ArenaEntry& e : entries) text += e.what.scheduler + std::to_string(e.rank) + " ";
  return text;
}

TEST(ArenaRanks, AreSharedWhereNothingTellsTwoApart) {
  EXPECT_EQ(ranks({entry("c", 1.5), entry("a", 1.0), entry("b", 1.2)}), "a1 b2 c3 ");
  EXPECT_EQ(ranks({entry("a", 1.0), entry("b", 1.005), entry("c", 1.5)}), "a1 b1 c3 ");
  // b and its neighbours cannot be told apart; a and c can.
  EXPECT_EQ(ranks({entry("a", 1.0), entry("b", 1.009), entry("c", 1.018)}), "a1 b1 c2 ");
}

TEST(ArenaRanks, AreAsSureAsTheLessCertainOfTwo) {
  EXPECT_EQ(ranks({entry("a", 1.0, 0.01), entry("b", 1.08, 0.10)}), "a1 b1 ");
  EXPECT_EQ(ranks({entry("a", 1.0, 0.01), entry("b", 1.12, 0.10)}), "a1 b2 ");
}

TEST(ArenaRanks, KnowOneScheduleByTwoNames) {
  ArenaEntry twin = entry("a", 1.3);
  twin.what.scheduler = "b";
  EXPECT_EQ(ranks({entry("a", 1.0), twin}), "a1 b1 ");
}

/// Records of SqueezeNet under made-up schedulers.
class ArenaRecords : public testing::Test {
 protected:
  const Graph graph_ = make_network("squeezenet");
  const Schedule good_ = test::sequential(graph_);
  records::Records records_;

  ArenaRecords() {
    records_.add(run("new"));
    records_.add(run("old"));
  }
  static records::Run run(const std::string& kernels) {
    records::Run run;
    run.id = kernels;
    run.device = "GPU";
    run.kernels = kernels;
    return run;
  }
  Record latency(const std::string& scheduler, double ms, const Schedule& schedule) {
    records_.add(records::ScheduleLine{fingerprint(schedule), fingerprint(graph_), to_text(schedule)});
    return {.what = {.network = "squeezenet", .scheduler = scheduler},
            .value = ms,
            .unit = "ms",
            .numbers = {{"bound_ms", 0.5}},
            .graph = fingerprint(graph_),
            .schedule = fingerprint(schedule),
            .run = "new",
            .time = "2026-11-28T00:00:00Z"};
  }
  Schedule broken() const {
    Schedule schedule = good_;
    std::swap(schedule.devices[0].stages.front(), schedule.devices[0].stages.back());
    return schedule;
  }
  Schedule other() const {
    Schedule schedule = good_;
    schedule.mode = Mode::dataflow;
    return schedule;
  }
  std::vector<ArenaContest> contests(const std::vector<bench::Timed>& replays = {}) {
    std::vector<ArenaChallenger> challengers;
    for (const bench::Timed& replay : replays) challengers.push_back({replay.record.what.scheduler});
    return arena(records_, {}, challengers, [&](const auto&) { return replays; });
  }
};

TEST_F(ArenaRecords, RankWhatTheValidatorAccepts) {
  records_.add(latency("good", 1.0, good_));
  records_.add(latency("broken", 0.1, broken()));
  Record lost = latency("lost", 0.2, good_);
  lost.schedule = "0123456789abcdef";
  records_.add(lost);
  Record older = latency("older", 0.3, other());
  older.run = "old";
  older.time = "2026-01-01T00:00:00Z";
  records_.add(older);
  Record elsewhere = latency("elsewhere", 0.4, good_);
  elsewhere.graph = "0123456789abcdef";
  records_.add(elsewhere);
  const std::vector<ArenaContest> found = contests();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(found[0].entries.size(), 1u);
  EXPECT_EQ(found[0].entries[0].what.scheduler, "good");
  EXPECT_EQ(found[0].bound_ms, 0.5);
  std::map<std::string, std::string> why;
  for (const ArenaRefusal& one : found[0].refused) why[one.what.scheduler] = one.why;
  ASSERT_EQ(why.size(), 4u);
  EXPECT_TRUE(contains(why["broken"], "stage")) << why["broken"];
  EXPECT_TRUE(contains(why["lost"], "not stored")) << why["lost"];
  EXPECT_TRUE(contains(why["older"], "kernels old")) << why["older"];
  EXPECT_TRUE(contains(why["elsewhere"], "graph differs")) << why["elsewhere"];
}

TEST_F(ArenaRecords, MeasurementsOfASchedulePassToWhoeverFindsIt) {
  records_.add(latency("known", 1.0, good_));
  Record same = latency("mine", 0.7, good_), mine = latency("another", 0.9, other());
  same.provenance = mine.provenance = Provenance::simulated;
  const std::vector<ArenaContest> found =
      contests({{.record = same, .schedule = good_}, {.record = mine, .schedule = other()}});
  ASSERT_EQ(found.at(0).entries.size(), 3u);
  std::map<std::string, ArenaEntry> by;
  for (const ArenaEntry& e : found[0].entries) by[e.what.scheduler] = e;
  EXPECT_EQ(by["mine"].ms, 1.0);
  EXPECT_FALSE(by["mine"].predicted());
  EXPECT_EQ(by["another"].ms, 0.9);
  EXPECT_TRUE(by["another"].predicted());
  EXPECT_EQ(by["another"].error, kUnknownError);
  EXPECT_EQ(by["known"].rank, 2);  // 11% behind, while predictions may be off by 10%
}

TEST_F(ArenaRecords, TakeTheErrorsThatWereRecorded) {
  Record error{.what = {.network = "squeezenet"}, .quantity = "simulator_error", .labels = {{"group", "unseen"}}};
  error.value = 0.02;
  error.numbers = {{"p90", 0.04}};
  records_.add(error);
  Record repeated{.what = {.network = "squeezenet", .scheduler = "known"}, .quantity = "process_latency"};
  repeated.value = 1.0;
  repeated.spread = records::Spread{.min = 0.98, .max = 1.04, .runs = 5};
  records_.add(repeated);
  records_.add(latency("known", 1.0, good_));
  Record mine = latency("mine", 1.05, other());
  mine.provenance = Provenance::simulated;
  const std::vector<ArenaContest> found = contests({{.record = mine, .schedule = other()}});
  ASSERT_EQ(found.at(0).entries.size(), 2u);
  EXPECT_NEAR(found[0].entries[0].error, 0.06, 1e-9);
  EXPECT_EQ(found[0].entries[1].error, 0.04);
  EXPECT_EQ(found[0].entries[1].rank, 1);
}

TEST(ArenaCommand, RanksARegisteredSchedulerOnARecording) {
  const test::TempDir dir;
  const std::string folder = dir.file("gpu");
  std::filesystem::copy(test::made_up_profile(), folder, std::filesystem::copy_options::recursive);
  ASSERT_EQ(
      test::run_program("bench --network squeezenet --scheduler sequential,wavefront --precision fp32 --device sim "
                        "--profile " +
                        folder + " --out " + folder)
          .code,
      0);
  const std::string arena = "arena " + folder + " --scheduler ios-both --out " + dir.file("arena");
  const test::ProgramResult result = test::run_program(arena);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "gpu: squeezenet, fp32, batch 1, 1 GPU")) << result.out;
  EXPECT_TRUE(contains(result.out, "ios-both")) << result.out;
  const records::Records kept = records::Records::read(dir.file("arena"));
  const Record* both = kept.find("squeezenet/ios-both/batch:1/fp32/gpus:1#arena{on=gpu}");
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->number("rank"), 1);
  EXPECT_EQ(both->texts.at("latency"), "predicted");
  EXPECT_GT(both->number("search_seconds"), 0);
  EXPECT_EQ(test::run_program("arena --network squeezenet --batch 1 " + folder).code, 0);  // a list, then the folder
  EXPECT_EQ(test::run_program("arena " + folder + " --network nasnet").code, 2);
  EXPECT_TRUE(contains(test::run_program("arena --scheduler no-such " + folder).err, "ios-both"));
  EXPECT_EQ(test::run_program("arena " + dir.file("nowhere")).code, 2);
}

TEST(RepeatCommand, StatesWhatEveryProcessSaid) {
  const test::TempDir dir;
  const test::ProgramResult result =
      test::run_program("repeat --processes 2 --out " + dir.file("r") +
                        " -- --network squeezenet --scheduler sequential --precision fp32 "
                        "--device sim --profile " +
                        test::made_up_profile());
  ASSERT_EQ(result.code, 0) << result.err;
  const records::Records kept = records::Records::read(dir.file("r"));
  const Record* found = kept.find("squeezenet/sequential/batch:1/fp32/gpus:1#process_latency");
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->series.at("processes_ms").size(), 2u);
  EXPECT_EQ(found->series.at("processes_ms")[0], found->series.at("processes_ms")[1]);
  EXPECT_EQ(found->spread->runs, 2);
  EXPECT_EQ(test::run_program("repeat -- --network no-such-network").code, 2);
  EXPECT_TRUE(contains(test::run_program("repeat -- --out x").err, "before --"));
}

}  // namespace
}  // namespace opsched
