// Two results folders side by side, and the plan for a new GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/files.hpp"
#include "core/schedule/schedule_text.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched::test {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Folders a and b: replayed on the made-up device; then a is fastest with sequential, b with greedy, and b
/// is twice as fast throughout. b holds the profiles of its device; a's holds the schedule of sequential.
class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string bench =
        "bench --network squeezenet --precision fp32 --scheduler sequential,wavefront,greedy "
        "--device sim --profile " +
        made_up_profile() + " --out ";
    ASSERT_EQ(run_program(bench + a_).code, 0);
    json file = json::parse(read_file(a_ + "/bench.json"));
    for (json& r : file.at("results")) r["ms"] = r.at("scheduler") == "sequential" ? 1.0 : 2.0;
    dir_.write("a/bench.json", file.dump());
    for (json& r : file.at("results")) r["ms"] = r.at("scheduler") == "greedy" ? 0.25 : 1.0;
    file["origin"] = "measured on another GPU";
    std::filesystem::create_directory(dir_.path() / "b");
    dir_.write("b/bench.json", file.dump());
    std::filesystem::copy(made_up_profile() + "/profile-fp32.json", b_);
  }

  void keep_schedule() {
    Profile profile = Profile::load(made_up_profile() + "/profile-fp32.json");
    const Graph graph = make_network("squeezenet");
    TestCost cost(graph);
    const Schedule schedule = make_schedule("sequential", {cost, 1, {}, {}});
    profile.record_schedule(fingerprint(graph), fingerprint(schedule), {{1.0, 0, 30}, "label", to_text(schedule)});
    profile.save(a_ + "/profile-fp32.json");
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
  }
  ASSERT_EQ(c.at("best").size(), 1U);
  EXPECT_EQ(c.at("best")[0].at("a_scheduler"), "sequential");
  EXPECT_EQ(c.at("best")[0].at("b_scheduler"), "greedy");
  EXPECT_EQ(c.at("best")[0].at("a_scheduler_on_b_ms"), 1.0);
  EXPECT_TRUE(c.at("schedules_of_a_on_b").empty());
  EXPECT_EQ(c.at("b").at("origin"), "measured on another GPU");
  const std::string text = run_program("compare " + a_ + " " + b_ + " --no-schedules").out;
  EXPECT_TRUE(contains(text, "8.00x") && contains(text, "different in 1 of 1") && contains(text, "300.0% more"))
      << text;
}

TEST_F(Compare, SchedulesOfOneRunOnTheOthersDevice) {
  json moved = compare().at("schedules_of_a_on_b");
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_TRUE(contains(moved[0].at("unavailable"), "profile-fp32.json")) << moved;
  keep_schedule();
  moved = compare().at("schedules_of_a_on_b");
  ASSERT_EQ(moved.size(), 1U);
  ASSERT_TRUE(moved[0].contains("a_schedule_on_b_ms")) << moved;
  EXPECT_GT(moved[0].at("a_schedule_on_b_ms").get<double>(), 0);
  EXPECT_EQ(moved[0].at("how"), "simulated");
  EXPECT_EQ(moved[0].at("b_ms"), 0.25);
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
  refused(a_ + " " + dir_.file("empty"), "bench.json");
  dir_.write("empty/bench.json", "{\"format\": \"opsched benchmark\", \"version\": 99}");
  refused(a_ + " " + dir_.file("empty"), "version");
  json other = json::parse(read_file(b_ + "/bench.json"));
  for (json& r : other.at("results")) r["batch"] = 7;
  dir_.write("empty/bench.json", other.dump());
  refused(a_ + " " + dir_.file("empty"), "in common");
}

TEST(ProfilePlan, SaysWhatItWouldDo) {
  const ProgramResult plan = run_program("profile --plan --gpus 4");
  ASSERT_EQ(plan.code, 0) << plan.err;
  for (const char* step : {"Schedules without a search", "IOS, batch 1", "Batch sizes", "Image sizes", "Several GPUs"})
    EXPECT_TRUE(contains(plan.out, step)) << step;
  EXPECT_FALSE(contains(run_program("profile --plan").out, "Several GPUs"));
  EXPECT_EQ(run_program("profile --plan --network alexnet").code, 2);
}

TEST(ProfilePlan, RehearsesAndKnowsWhatItHas) {
  const TempDir dir;
  const std::string command =
      "profile --quick --network squeezenet --device sim --profile " + made_up_profile() + " --out " + dir.file("out");
  const ProgramResult first = run_program(command);
  ASSERT_EQ(first.code, 0) << first.err;
  const json file = json::parse(read_file(dir.file("out/bench.json")));
  EXPECT_EQ(file.at("results").size(), 4U);
  EXPECT_TRUE(contains(read_file(dir.file("out/COMMAND")), "opsched profile"));
  const ProgramResult again = run_program(command);
  EXPECT_EQ(again.code, 0);
  EXPECT_TRUE(contains(again.out, "Everything is there already")) << again.out;
  EXPECT_EQ(run_program("profile --quick --device sim --profile " + made_up_profile()).code, 2);
}

}  // namespace
}  // namespace opsched::test
