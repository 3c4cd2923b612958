// opsched fit, from the command line.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/records/records.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/test_cost.hpp"
#include "tests/support/true_device.hpp"

namespace opsched::test {
namespace {

/// A profile of SqueezeNet as `opsched bench` writes it.
void write_profile(const std::string& path, const std::string& network = "squeezenet") {
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
    profile.record_schedule(fingerprint(graph), fingerprint(schedule),
                            {device.schedule(graph, schedule),
                             {.network = network, .scheduler = scheduler, .image = 224},
                             to_text(schedule)});
  }
  profile.save(path);
}

TEST(Fit, ReportsAndSavesTheCalibration) {
  const TempDir folder;
  const std::string path = folder.path() / "profile-tf32.json";
  write_profile(path);
  const ProgramResult shown = run_program("fit --profile " + folder.path().string());
  EXPECT_EQ(shown.code, 0) << shown.err;
  for (const char* part :
       {"squeezenet: stages", "squeezenet: with recorded stages", "without recorded stages", "1 GPU: whole operators"})
    EXPECT_NE(shown.out.find(part), std::string::npos) << shown.out;
  EXPECT_TRUE(Profile::load(path).calibration().empty());
  const std::string out = folder.file("out");
  EXPECT_EQ(run_program("fit --save --profile " + folder.path().string() + " --out " + out).code, 0);
  EXPECT_FALSE(Profile::load(path).calibration().empty());
  const records::Records records = records::Records::read(out);
  std::map<std::string, int> groups;
  for (const records::Record* record : records.standing()) {
    EXPECT_EQ(record->what.precision, Precision::tf32) << record->key();
    if (record->quantity != "simulator_error") continue;
    const std::string& group = record->labels.at("group");
    ++groups[group];
    if (group == "replayed") {
      EXPECT_EQ(record->number("count"), 3);
    }
    if (group == "stages") {
      EXPECT_GT(record->number("count"), 20);
    }
  }
  EXPECT_EQ(groups["held_out"], 3);
  EXPECT_EQ(groups["replayed"], 1);
  EXPECT_EQ(groups["operators"], 1);
  EXPECT_EQ(groups["whole"], 1);
  EXPECT_EQ(groups["other_networks"], 0);
}

TEST(Fit, ReadsSchedulesOfGraphFiles) {
  const TempDir folder;
  write_profile(folder.path() / "profile-tf32.json", "mine");
  const std::string fit = "fit --profile " + folder.path().string();
  const char* const schedules = "1 GPU: whole operators";
  EXPECT_EQ(run_program(fit).out.find(schedules), std::string::npos);
  const Graph graph = make_network("squeezenet");
  write_file_atomically(folder.file("mine.json"), graph_to_json(graph));
  const ProgramResult shown = run_program(fit + " --graph " + folder.file("mine.json"));
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find(schedules), std::string::npos) << shown.out;
  EXPECT_EQ(run_program(fit + " --graph " + folder.file("no.json")).code, 2);
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
