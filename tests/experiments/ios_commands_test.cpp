// The commands around the IOS search that need more than a graph.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
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

  const std::string out = (dir.path() / "out").string(), rows_file = out + "/ablation-squeezenet-fp32.json";
  const std::string device = " --device sim --profile " + dir.path().string();
  const ProgramResult result = run_program("ablation squeezenet" + device + " --out " + out);
  ASSERT_EQ(result.code, 0) << result.err;
  std::map<std::string, double> predicted, run;
  const auto written = nlohmann::json::parse(read_file(rows_file));
  for (const auto& row : written.at("rows")) {
    const std::string name = row.at("study").get<std::string>() + ": " + row.at("variant").get<std::string>();
    predicted[name] = row.at("predicted_ms");
    run[name] = row.at("run_ms");
    EXPECT_GT(row.at("transitions"), 0) << name;
    EXPECT_NE(result.out.find(row.at("variant")), std::string::npos) << name;
  }
  EXPECT_EQ(predicted.size(), 16u);
  // Everything was measured, so more freedom cannot be worse.
  EXPECT_LE(predicted["pruning: r=3 s=8"], predicted["pruning: r=1 s=3"]);
  EXPECT_LE(predicted["strategies: both"], predicted["strategies: merge"]);
  EXPECT_LE(predicted["strategies: both"], predicted["strategies: parallel"]);
  EXPECT_LE(predicted["enumerations: components"], predicted["enumerations: single-source"]);
  EXPECT_LT(run["barriers: dataflow, streams by waits"], run["barriers: barrier"]);

  // An interrupted run goes on: rows that are there stay, the others come back.
  auto file = nlohmann::json::parse(read_file(rows_file));
  const std::string whole = read_file(out + "/ablation-squeezenet-fp32.txt");
  file.at("rows").erase(7);
  file.at("rows").at(3).at("search_seconds") = 1234.5;
  write_file_atomically(rows_file, file.dump());
  const ProgramResult again = run_program("ablation squeezenet" + device + " --out " + out);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("15 rows"), std::string::npos) << again.err;
  EXPECT_NE(again.out.find("1234.5"), std::string::npos) << again.out;
  EXPECT_EQ(nlohmann::json::parse(read_file(rows_file)).at("rows").size(), 16u);
  EXPECT_EQ(std::ranges::count(read_file(out + "/ablation-squeezenet-fp32.txt"), '\n'),
            std::ranges::count(whole, '\n'));
  EXPECT_EQ(run_program("ablation inception_v3 --part 2 --study strategies" + device).code, 0);

  EXPECT_EQ(run_program("ablation squeezenet --study none" + device).code, 2);
  EXPECT_EQ(run_program("ablation squeezenet --fresh" + device).code, 2);
  EXPECT_EQ(run_program("ablation squeezenet --part 99" + device).code, 2);
}

TEST(IosCommands, Growth) {
  const ProgramResult result = run_program("growth --nodes 8 12 64 --seed 3");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("| ws8 | "), std::string::npos);
  EXPECT_NE(result.out.find("| ws12 | "), std::string::npos);
  const ProgramResult network = run_program("growth squeezenet");
  EXPECT_NE(network.out.find("| squeezenet | 78 | 3 | 386 | 230 | "), std::string::npos) << network.out << network.err;
  EXPECT_NE(result.out.find("| ws64 | 735507616 | gave up: too wide |"), std::string::npos) << result.out;
}

}  // namespace
}  // namespace opsched::test
