// Two results folders compared, and the plan for a new GPU.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/cost/signature/signature.hpp"
#include "experiments/records/record_file.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched::test {
namespace {

using nlohmann::json;

using records::Record;
using records::RecordFile;

records::Run gpu_run(const std::string& device, const std::string& kernels = "9") {
  records::Run run;
  run.device = device;
  run.kernels = kernels;
  run.command = "opsched bench";
  return run;
}

/// Folders a and b: sequential is fastest in a, greedy in b, and b is at least twice as fast. b holds the profiles of
/// its device; a's records include the schedule of sequential if requested.
class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    const Graph graph = make_network("squeezenet");
    TestCost cost(graph);
    const Schedule schedule = make_schedule("sequential", {cost, 1, {}, {}});
    RecordFile a(a_, gpu_run("one GPU")), b(b_, gpu_run("another GPU"));
    for (const std::string scheduler : {"sequential", "wavefront", "greedy"}) {
      Record record = latency(scheduler, scheduler == "sequential" ? 1.0 : 2.0);
      record.graph = fingerprint(graph);
      record.schedule = fingerprint(schedule);
      if (scheduler == "sequential")
        a.add(record, schedule);
      else
        a.add(record);
      b.add(latency(scheduler, scheduler == "greedy" ? 0.25 : 1.0));
    }
    std::filesystem::copy(made_up_profile() + "/profile-fp32.json", b_);
  }

  static Record latency(const std::string& scheduler, double ms) {
    return {.what = {.network = "squeezenet", .scheduler = scheduler}, .value = ms, .unit = "ms"};
  }

  json compare(const std::string& more = "") {
    const ProgramResult result = run_program("compare " + a_ + " " + b_ + " --device sim --format json " + more);
    EXPECT_EQ(result.code, 0) << result.err;
    return json::parse(result.out);
  }

  TempDir dir_;
  std::string a_ = dir_.file("a"), b_ = dir_.file("b");
};

TEST_F(Compare, RatiosAndBestSchedules) {
  const json c = compare("--no-schedules");
  ASSERT_EQ(c.at("latencies").size(), 3U);
  for (const json& line : c.at("latencies")) {
    const double expected = line.at("scheduler") == "sequential" ? 1.0 : line.at("scheduler") == "greedy" ? 8.0 : 2.0;
    EXPECT_DOUBLE_EQ(line.at("ratio").get<double>(), expected) << line;
    EXPECT_FALSE(line.contains("mark"));
  }
  ASSERT_EQ(c.at("best").size(), 1U);
  EXPECT_EQ(c.at("best")[0].at("a_scheduler"), "sequential");
  EXPECT_EQ(c.at("best")[0].at("b_scheduler"), "greedy");
  EXPECT_EQ(c.at("best")[0].at("a_scheduler_on_b_ms"), 1.0);
  EXPECT_TRUE(c.at("schedules_of_a_on_b").empty());
  EXPECT_TRUE(contains(c.at("b").at("origin"), "another GPU"));
  const std::string text = run_program("compare " + a_ + " " + b_ + " --no-schedules").out;
  EXPECT_TRUE(contains(text, "8.00x") && contains(text, "different in 1 of 1") && contains(text, "300.0% more"))
      << text;
}

TEST_F(Compare, WhatIsNotAlikeIsMarked) {
  // In B, greedy used older kernels and wavefront was simulated, so neither may be called the fastest.
  RecordFile(b_, gpu_run("another GPU", "8")).add(latency("greedy", 0.2));
  Record simulated = latency("wavefront", 0.1);
  simulated.provenance = Provenance::simulated;
  simulated.replaces = true;
  RecordFile(b_, gpu_run("another GPU")).add(simulated);
  const json c = compare("--no-schedules");
  for (const json& line : c.at("latencies"))
    EXPECT_EQ(line.value("mark", ""), line.at("scheduler") == "greedy"      ? "kernels 9 in A, 8 in B"
                                      : line.at("scheduler") == "wavefront" ? "measured in A, simulated in B"
                                                                            : "")
        << line;
  EXPECT_EQ(c.at("best")[0].at("b_scheduler"), "sequential");
  const std::string text = run_program("compare " + a_ + " " + b_ + " --no-schedules").out;
  EXPECT_TRUE(contains(text, "2 pairs are not comparable") && contains(text, "kernels 9 in A, 8 in B")) << text;
}

TEST_F(Compare, SchedulesOfOneRunOnTheOthersDevice) {
  json moved = compare().at("schedules_of_a_on_b");
  ASSERT_EQ(moved.size(), 1U);
  ASSERT_TRUE(moved[0].contains("a_schedule_on_b_ms")) << moved;
  EXPECT_GT(moved[0].at("a_schedule_on_b_ms").get<double>(), 0);
  EXPECT_EQ(moved[0].at("provenance"), "simulated");
  EXPECT_EQ(moved[0].at("b_ms"), 0.25);
  // Without the schedule there is a reason instead of a number.
  RecordFile(a_, gpu_run("one GPU")).add(latency("sequential", 0.9));
  moved = compare().at("schedules_of_a_on_b");
  EXPECT_FALSE(moved[0].contains("a_schedule_on_b_ms"));
  EXPECT_NE(moved[0].at("unavailable"), "");
}

TEST_F(Compare, WhatCannotBeComparedIsRefused) {
  const auto refused = [](const std::string& args, const std::string& word) {
    const ProgramResult result = run_program("compare " + args);
    EXPECT_EQ(result.code, 2) << args;
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(contains(result.err, word)) << result.err;
  };
  refused(a_ + " " + dir_.file("absent"), "absent");
  refused(a_, "B");
  std::filesystem::create_directory(dir_.path() / "empty");
  refused(a_ + " " + dir_.file("empty"), "records.jsonl");
  dir_.write("empty/records.jsonl", "{\"format\": \"opsched records\", \"version\": 99}\n");
  refused(a_ + " " + dir_.file("empty"), "version");
  Record other = latency("sequential", 1);
  other.what.batch = 7;
  RecordFile(dir_.file("other"), gpu_run("one GPU")).add(other);
  refused(a_ + " " + dir_.file("other"), "in common");
}

TEST(ProfilePlan, SaysWhatItWouldDo) {
  const ProgramResult plan = run_program("profile --plan --gpus 4");
  ASSERT_EQ(plan.code, 0) << plan.err;
  for (const char* step : {"Schedules without a search", "IOS, batch 1", "Searches that measure", "Batch sizes",
                           "Image sizes", "Several GPUs"})
    EXPECT_TRUE(contains(plan.out, step)) << step;
  const ProgramResult paper = run_program("profile --plan --network randwire-paper");
  EXPECT_TRUE(contains(paper.out, "IOS, batch 1")) << paper.out << paper.err;
  EXPECT_FALSE(contains(run_program("profile --plan").out, "Several GPUs"));
  EXPECT_EQ(run_program("profile --plan --network alexnet").code, 2);
  EXPECT_FALSE(contains(run_program("profile --plan --precision tf32,fp16").out, "Image sizes"));  // fp32 only
  EXPECT_TRUE(contains(run_program("profile --plan --precision int4").err, "tf32x3"));
  EXPECT_EQ(run_program("profile --plan --quick --precision fp16").code, 2);  // it has fp32 only
}

TEST(ProfilePlan, RehearsesAndKnowsWhatItHas) {
  const TempDir dir;
  const std::string command =
      "profile --quick --network squeezenet --device sim --profile " + made_up_profile() + " --out " + dir.file("out");
  const ProgramResult first = run_program(command);
  ASSERT_EQ(first.code, 0) << first.err;
  const records::Records records = records::Records::read(dir.file("out"));
  EXPECT_EQ(records.standing().size(), 4U);
  for (const Record* record : records.standing()) EXPECT_EQ(records.run_of(*record).command, "opsched " + command);
  const ProgramResult again = run_program(command);
  EXPECT_EQ(again.code, 0);
  EXPECT_TRUE(contains(again.out, "Everything is already measured")) << again.out;
  EXPECT_EQ(run_program("profile --quick --device sim --profile " + made_up_profile()).code, 2);
}

}  // namespace
}  // namespace opsched::test
