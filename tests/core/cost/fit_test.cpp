// opsched fit, as a user calls it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/files.hpp"
#include "core/schedule/schedule_text.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/test_cost.hpp"
#include "tests/support/true_device.hpp"

namespace opsched::test {
namespace {

/// A profile of SqueezeNet as `opsched bench` leaves it behind.
void write_profile(const std::string& path) {
  TrueDevice device(31);
  std::mt19937_64 random(32);
  const Graph graph = make_network("squeezenet");
  Profile profile(TrueDevice::facts(), Precision::tf32);
  const StageSigner signer(graph);
  for (OpId id : graph.units())
    profile.record_stage(signer.solo(id), device.stage(graph, {Strategy::concurrent, {{id}}}));
  const StageDrawer drawer(graph);
  for (int i = 0; i < 60; ++i) {
    const Stage stage = drawer.draw(random);
    profile.record_stage(signer.stage(stage), device.stage(graph, stage));
  }
  TestCost cost(graph);
  for (const std::string scheduler : {"sequential", "wavefront", "dataflow"}) {
    const Schedule schedule = make_schedule(scheduler, {cost, 1, {}, {}});
    profile.record_schedule(
        fingerprint(graph), fingerprint(schedule),
        {device.schedule(graph, schedule), "squeezenet/" + scheduler + "/batch:1/tf32/gpus:1", to_text(schedule)});
  }
  profile.save(path);
}

TEST(Fit, ReportsAndSavesTheCalibration) {
  const TempDir folder;
  const std::string path = folder.path() / "profile-tf32.json";
  write_profile(path);
  const ProgramResult shown = run_program("fit --profile " + folder.path().string());
  EXPECT_EQ(shown.code, 0) << shown.err;
  for (const char* part : {"squeezenet: stages", "squeezenet: schedules, stages replayed", "stages left out"})
    EXPECT_NE(shown.out.find(part), std::string::npos) << shown.out;
  EXPECT_TRUE(Profile::load(path).calibration().empty());
  const std::string json = folder.path() / "simulator.json";
  EXPECT_EQ(run_program("fit --save --profile " + folder.path().string() + " -o " + json).code, 0);
  EXPECT_FALSE(Profile::load(path).calibration().empty());
  const auto report = nlohmann::json::parse(read_file(json)).at("profiles").at(0);
  EXPECT_EQ(report.at("precision"), "tf32");
  EXPECT_EQ(report.at("held_out").size(), 3U);
  EXPECT_EQ(report.at("networks").at(0).at("replayed").at("count"), 3);
  EXPECT_GT(report.at("networks").at(0).at("stages").at("count"), 20);
}

TEST(Fit, SaysWhatIsMissing) {
  const TempDir folder;
  const ProgramResult none = run_program("fit --profile " + folder.path().string());
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find(folder.path().string()), std::string::npos);
  write_profile(folder.path() / "profile-tf32.json");
  EXPECT_EQ(run_program("fit --precision fp16 --profile " + folder.path().string()).code, 2);
  EXPECT_EQ(run_program("fit --precision fp8 --profile " + folder.path().string()).code, 2);
}

}  // namespace
}  // namespace opsched::test
