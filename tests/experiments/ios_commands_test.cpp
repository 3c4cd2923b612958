// Commands of the IOS search that need costs.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "core/files.hpp"
#include "experiments/records/records.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/search.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/device_cost.hpp"

namespace opsched::test {
namespace {

TEST(IosCommands, AblationOnARecordedProfile) {
  const TempDir dir;
  const Graph graph = make_network("squeezenet");
  Profile profile(TrueDevice::facts(), Precision::fp32);
  DeviceCost cost(graph, profile, 3);
  ios_search(cost, {.space = {}, .exhaustive = true});
  profile.save((dir.path() / "profile-fp32.json").string());

  const std::string out = dir.file("out"), file = records::records_file(out);
  const std::string device = " --device sim --profile " + dir.path().string();
  const ProgramResult result = run_program("ablation squeezenet" + device + " --out " + out);
  ASSERT_EQ(result.code, 0) << result.err;
  std::map<std::string, double> predicted, run;
  const records::Records written = records::Records::read(out);
  for (const records::Record* row : written.standing()) {
    const std::string name = row->labels.at("study") + ": " + row->labels.at("variant");
    predicted[name] = row->number("predicted_ms");
    run[name] = *row->value;
    EXPECT_EQ(row->what.scheduler, "ios-both");
    EXPECT_GT(row->number("transitions"), 0) << name;
    std::istringstream words(row->labels.at("variant"));  // may be broken over lines in the table
    for (std::string word; words >> word;) EXPECT_NE(result.out.find(word), std::string::npos) << name;
    EXPECT_NE(written.schedule(row->schedule), nullptr) << name;
  }
  EXPECT_EQ(predicted.size(), 16u);
  // All stages were measured, so a larger search space cannot be worse.
  EXPECT_LE(predicted["pruning: r=3 s=8"], predicted["pruning: r=1 s=3"]);
  EXPECT_LE(predicted["strategies: both"], predicted["strategies: merge"]);
  EXPECT_LE(predicted["strategies: both"], predicted["strategies: parallel"]);
  EXPECT_LE(predicted["enumerations: components"], predicted["enumerations: single-source"]);
  EXPECT_LT(run["barriers: dataflow, streams by waits"], run["barriers: barrier"]);

  // Killed in the middle: the last line is cut off, earlier ones stay, the rest is made again.
  std::string text = read_file(file);
  text.resize(text.rfind("{\"record\"") + 30);
  const std::size_t seconds = text.find("\"search_seconds\":") + 17;
  text.replace(seconds, text.find(',', seconds) - seconds, "1234.5");
  write_file_atomically(file, text);
  const ProgramResult again = run_program("ablation squeezenet" + device + " --out " + out);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("15 records"), std::string::npos) << again.err;
  EXPECT_NE(again.out.find("1234.5"), std::string::npos) << again.out;
  const records::Records whole = records::Records::read(out);
  EXPECT_EQ(whole.standing().size(), 16u);
  EXPECT_EQ(whole.runs().size(), 1u);
  EXPECT_EQ(run_program("ablation inception_v3 --part 2 --study strategies" + device).code, 0);

  EXPECT_EQ(run_program("ablation squeezenet --study none" + device).code, 2);
  EXPECT_EQ(run_program("ablation squeezenet --part 99" + device).code, 2);
}

TEST(IosCommands, LaunchAndRooflineKeepRecords) {
  const TempDir dir;
  const std::string device = " --device sim --profile " + made_up_profile() + " --out " + dir.file("out");
  ASSERT_EQ(run_program("launch squeezenet" + device).code, 0);
  const records::Records records = records::Records::read(dir.file("out"));
  ASSERT_GT(records.standing().size(), 5U);
  for (const records::Record* record : records.standing()) {
    EXPECT_EQ(record->labels.at("study"), "launch");
    EXPECT_EQ(record->series.at("rounds_ms").size(), 1U);
    EXPECT_EQ(record->provenance, Provenance::simulated);
  }
  // The synthetic profile has no peak rates of a device.
  const ProgramResult result = run_program("roofline --network squeezenet" + device);
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("opsched roofline"), std::string::npos) << result.err;
}

TEST(IosCommands, Growth) {
  const TempDir dir;
  const ProgramResult result = run_program("growth --nodes 8 12 64 --seed 3 --out " + dir.file("out"));
  ASSERT_EQ(result.code, 0) << result.err;
  const records::Records records = records::Records::read(dir.file("out"));
  ASSERT_EQ(records.standing().size(), 3U);
  EXPECT_GT(records.standing().front()->number("transitions"), 0);
  EXPECT_EQ(records.standing().front()->provenance, Provenance::synthetic);
  EXPECT_NE(records.standing().back()->missing, "");
  EXPECT_EQ(records.standing().back()->texts.at("states"), "735507616");
  EXPECT_NE(result.out.find("gave up: "), std::string::npos) << result.out;
  ASSERT_EQ(run_program("growth squeezenet --out " + dir.file("net")).code, 0);
  const records::Record network = *records::Records::read(dir.file("net")).standing().front();
  EXPECT_EQ(network.number("states"), 78);
  EXPECT_EQ(network.number("width"), 3);
  EXPECT_EQ(network.number("transitions"), 386);
  EXPECT_EQ(network.number("distinct_stages"), 230);
}

}  // namespace
}  // namespace opsched::test
