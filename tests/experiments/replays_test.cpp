// Searches on a recorded profile, in parallel.
#include "experiments/bench/replays.hpp"

#include <gtest/gtest.h>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "experiments/bench/runner.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::bench {
namespace {

const std::string& recorded() { return test::made_up_profile(); }

std::vector<Case> some_cases() {
  std::vector<Case> cases;
  for (const char* scheduler : {"ios-both", "greedy"})  // cases of one precision are not adjacent
    for (const Precision precision : kPrecisions)
      cases.push_back({.network = "squeezenet", .scheduler = scheduler, .precision = precision});
  return cases;
}

TEST(Replays, AreThoseOfOneSearchAfterAnother) {
  const std::vector<Case> cases = some_cases();
  const std::unique_ptr<Device> device = open_recorded({.kind = "sim", .profile = recorded(), .report = {}});
  const ScheduleStore none("");
  Runner runner(*device, none, {}, [](const std::string&) {});
  for (const int threads : {1, 3}) {
    const std::vector<Timed> replays = replay_cases(recorded(), cases, {.threads = threads, .report = {}});
    ASSERT_EQ(replays.size(), cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const records::Record alone = runner.run(cases[i]).record;
      EXPECT_EQ(replays[i].record.what, cases[i]);
      EXPECT_EQ(replays[i].record.schedule, alone.schedule) << cases[i].name() << ", " << threads << " threads";
      EXPECT_EQ(replays[i].record.value, alone.value);
      EXPECT_EQ(fingerprint(replays[i].schedule), alone.schedule);
    }
  }
}

TEST(Replays, SayWhatCannotBeSearched) {
  std::vector<Case> cases = some_cases();
  cases[1].gpus = 4;  // this profile has no transfers
  const std::vector<Timed> replays = replay_cases(recorded(), cases, {.threads = 2, .report = {}});
  for (std::size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(replays[i].record.missing.empty(), i != 1);
  EXPECT_EQ(replays[1].record.what, cases[1]);
}

TEST(Replays, StopWhenTheReportThrows) {
  int calls = 0;
  const auto stop = [&](const ReplayProgress& now) {
    EXPECT_EQ(now.total, static_cast<int>(some_cases().size()));
    ++calls;
    throw Error("enough");
  };
  EXPECT_THROW(replay_cases(recorded(), some_cases(), {.threads = 2, .report = stop}), Error);
  EXPECT_EQ(calls, 1);
}

TEST(Replays, PassOnWhatIsWrongWithTheProfile) {
  test::TempDir empty;
  EXPECT_THROW(replay_cases(empty.path().string(), some_cases(), {.threads = 2, .report = {}}), Error);
  EXPECT_TRUE(replay_cases(recorded(), {}, {.report = {}}).empty());
}

TEST(Replays, KeepWhatTheyFind) {
  test::TempDir folder;
  const ScheduleStore store(folder.file("schedules"));
  const std::vector<Case> cases = some_cases();
  replay_cases(recorded(), cases, {.store = &store, .threads = 2, .report = {}});
  const std::unique_ptr<Device> device = open_recorded({.kind = "sim", .profile = recorded(), .report = {}});
  Runner runner(*device, store, {}, [](const std::string&) {});
  for (const Case& what : cases) {
    EXPECT_TRUE(runner.found_before(what)) << what.name();
    EXPECT_TRUE(runner.find(what).from_disk) << what.name();
  }
}

}  // namespace
}  // namespace opsched::bench
