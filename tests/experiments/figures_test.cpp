// opsched reproduce, replaying a made-up device.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/files.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kAnalysis = std::string(OPSCHED_TEST_DATA) + "/../../analysis";

ProgramResult reproduce(const std::string& args) {
  return run_program("reproduce --device sim --profile " + made_up_profile() + " --no-pictures " + args);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The line that begins with a word.
std::string line_of(const std::string& text, const std::string& word) {
  const std::size_t begin = text.find("\n" + word + " ");
  return begin == std::string::npos ? "" : text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
}

/// First words of the lines of --list behind its rule.
std::vector<std::string> figure_names() {
  const TempDir dir;
  std::istringstream lines(reproduce("--list --out " + dir.file("none")).out);
  std::vector<std::string> names;
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("---")) {
  }
  while (std::getline(lines, line)) names.push_back(line.substr(0, line.find(' ')));
  return names;
}

class Figures : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c '' 2>/dev/null") != 0) GTEST_SKIP() << "no python3, which writes the pages";
  }
};

TEST_F(Figures, AreListedWithWhereTheyStand) {
  const TempDir dir;
  const ProgramResult before = reproduce("--list --out " + dir.file("out"));
  ASSERT_EQ(before.code, 0) << before.err;
  EXPECT_TRUE(contains(before.out, "not made")) << before.out;
  EXPECT_FALSE(fs::exists(dir.path() / "out"));
  ASSERT_EQ(reproduce("last_block --out " + dir.file("out")).code, 0);
  const std::string after = reproduce("--list --out " + dir.file("out")).out;
  EXPECT_EQ(line_of(after, "last_block").find("not made"), std::string::npos) << after;
  EXPECT_TRUE(contains(line_of(after, "last_block"), "replayed")) << after;
}

TEST_F(Figures, EachHasADrawing) {
  const std::vector<std::string> names = figure_names();
  EXPECT_GE(names.size(), 22U);
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names)
    EXPECT_TRUE(fs::exists(kAnalysis + "/plots/" + (name.starts_with("sim_") ? "sim" : name) + ".py")) << name;
}

TEST_F(Figures, AnUnknownOneIsAnErrorThatListsTheKnown) {
  const TempDir dir;
  const ProgramResult result = reproduce("last_block nonesuch --out " + dir.file("out"));
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(contains(result.err, "'nonesuch'") && contains(result.err, "last_block")) << result.err;
  EXPECT_FALSE(fs::exists(dir.path() / "out"));
}

TEST_F(Figures, RowsSayWhereTheyComeFromAndPagesSayWhatTheySay) {
  const TempDir dir;
  const ProgramResult result = reproduce("last_block --out " + dir.file("out"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("replayed from ")) << result.out;
  const json data = json::parse(read_file(dir.file("out/last_block.json")));
  EXPECT_EQ(data.at("state"), "replayed");
  EXPECT_TRUE(data.at("command").get<std::string>().starts_with("opsched reproduce last_block"));
  ASSERT_FALSE(data.at("rows").empty());
  std::set<std::string> operators;
  for (const json& row : data.at("rows")) {
    EXPECT_TRUE(row.at("how") == "simulated" || row.at("how") == "recorded");
    EXPECT_TRUE(contains(data.at("sources").at(row.at("source").get<int>()), made_up_profile()));
    if (row.at("batch") == 1) operators.insert(row.at("labels").at("operator").get<std::string>());
  }
  EXPECT_EQ(operators.size(), 11U);
  const std::string page = read_file(dir.file("out/last_block.md")), csv = read_file(dir.file("out/last_block.csv"));
  for (const std::string& name : operators) EXPECT_TRUE(contains(page, name) && contains(csv, name)) << name;
  EXPECT_TRUE(contains(page, "**What agrees.**") && contains(page, "**What does not, and why.**")) << page;
  EXPECT_TRUE(contains(read_file(dir.file("out/README.md")), "[last_block](last_block.md)"));
}

TEST_F(Figures, WhatWasMeasuredIsKeptAndOnlyDrawnAgain) {
  const TempDir dir;
  const std::string args = "last_block --out " + dir.file("out"), file = dir.file("out/last_block.json");
  ASSERT_EQ(reproduce(args).code, 0);
  json data = json::parse(read_file(file));
  for (json& row : data.at("rows")) row["how"] = "measured";
  data.at("rows").at(0).at("numbers")["stage_ms"] = 123.456;
  write_file_atomically(file, data.dump());
  const std::string before = read_file(file);
  const ProgramResult again = reproduce(args);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_file(file), before);
  EXPECT_TRUE(contains(read_file(dir.file("out/last_block.md")), "123.46"));
  EXPECT_TRUE(contains(line_of(again.out, "last_block"), "measured")) << again.out;
  ASSERT_EQ(reproduce(args + " --fresh").code, 0);
  EXPECT_FALSE(contains(read_file(dir.file("out/last_block.md")), "123.46"));
}

TEST_F(Figures, LatenciesOfABenchmarkAreNotReplayed) {
  const TempDir dir;
  fs::copy(made_up_profile(), dir.file("device"));
  const std::string device = "--device sim --profile " + dir.file("device");
  const ProgramResult bench = run_program("bench " + device + " --out " + dir.file("device") +
                                          " --network inception_v3 --precision fp32 --scheduler sequential --batch 16");
  ASSERT_EQ(bench.code, 0) << bench.err;
  json results = json::parse(read_file(dir.file("device/bench.json")));
  results.at("results").at(0)["how"] = "measured";
  results.at("results").at(0)["ms"] = 4321.0;
  write_file_atomically(dir.file("device/bench.json"), results.dump());
  const ProgramResult made = run_program("reproduce batches --no-pictures " + device);
  ASSERT_EQ(made.code, 0) << made.err;
  const json data = json::parse(read_file(dir.file("device/figures/batches.json")));
  int found = 0;
  for (const json& row : data.at("rows"))
    if (row.at("scheduler") == "sequential" && row.at("batch") == 16) {
      ++found;
      EXPECT_EQ(row.at("ms"), 4321);
      EXPECT_EQ(row.at("how"), "recorded");
      EXPECT_TRUE(contains(data.at("sources").at(row.at("source").get<int>()), "bench.json"));
    } else if (row.contains("how")) {
      EXPECT_EQ(row.at("how"), "simulated");
    }
  EXPECT_EQ(found, 1);
}

TEST_F(Figures, GainsCompareWhatRanTogether) {
  const TempDir dir;
  fs::copy(made_up_profile(), dir.file("device"));
  fs::copy(made_up_profile(), dir.file("device-x2"));
  const std::string of_two = "--device sim --profile " + dir.file("device-x2") + " --out " + dir.file("device-x2");
  ASSERT_EQ(run_program("bench " + of_two + " --network inception_v3 --precision fp32 --scheduler sequential").code, 0);
  json results = json::parse(read_file(dir.file("device-x2/bench.json")));
  json one = results.at("results").at(0);
  one["how"] = "measured";
  one["ms"] = 100.0;
  json two = one;
  two["name"] = "inception_v3/hios-mr/batch:1/fp32/gpus:2";
  two["scheduler"] = "hios-mr";
  two["gpus"] = 2;
  two["ms"] = 40.0;
  results["results"] = {one, two};
  write_file_atomically(dir.file("device-x2/bench.json"), results.dump());
  const ProgramResult made =
      run_program("reproduce image_gain --no-pictures --device sim --profile " + dir.file("device"));
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string page = read_file(dir.file("device/figures/image_gain.md"));
  EXPECT_TRUE(contains(page, "100.00 (sequential)") && contains(page, "2.50x")) << page;
}

TEST_F(Figures, PeersThatCannotRunAreShownAsAbsentNeverAsSlow) {
  const TempDir dir;
  fs::copy(made_up_profile(), dir.file("device"));
  dir.write("device/peers.jsonl",
            R"({"peer": "pytorch", "graph": "inception_v3", "batch": 1, "precision": "fp32", "device": "a GPU", )"
            R"("versions": {"torch": "2"}, "latency": {"eager": {"median_ms": 7.25, "runs": 60}, )"
            R"("compile": {"median_ms": 0.001, "failed": "its output is wrong"}}})"
            "\n");
  const ProgramResult made =
      run_program("reproduce batches --no-pictures --device sim --profile " + dir.file("device"));
  ASSERT_EQ(made.code, 0) << made.err;
  int numbers = 0, reasons = 0;
  const json data = json::parse(read_file(dir.file("device/figures/batches.json")));
  for (const json& row : data.at("rows"))
    if (row.contains("labels") && row.at("labels").contains("peer")) {
      numbers += row.contains("ms") && row.at("ms") == 7.25 && row.at("labels").at("mode") == "eager";
      reasons += !row.contains("ms") && contains(row.at("skipped"), "compile: failed: its output is wrong");
    }
  EXPECT_EQ(numbers, 1);
  EXPECT_EQ(reasons, 1);
  const std::string page = read_file(dir.file("device/figures/batches.md"));
  EXPECT_TRUE(contains(page, "7.250 (pytorch, eager)") && contains(page, "its output is wrong")) << page;
}

TEST_F(Figures, PagesAreCheckedAgainstTheData) {
  const TempDir dir;
  ASSERT_EQ(reproduce("last_block --out " + dir.file("out")).code, 0);
  const std::string check = "python3 " + kAnalysis + "/figures.py --check " + dir.file("out") + " >/dev/null";
  EXPECT_EQ(std::system(check.c_str()), 0);
  json data = json::parse(read_file(dir.file("out/last_block.json")));
  data.at("rows").at(0).at("labels")["operator"] = "another";
  write_file_atomically(dir.file("out/last_block.json"), data.dump());
  EXPECT_NE(std::system(check.c_str()), 0);
}

TEST_F(Figures, TablesOfAnotherVersionAreRefused) {
  const TempDir dir;
  dir.write("bench.json", R"({"format": "opsched benchmark", "version": 99, "origin": "a GPU", "results": []})");
  const std::string tables = "python3 " + kAnalysis + "/tables.py " + dir.path().string() + " 2>" + dir.file("err");
  EXPECT_NE(std::system(tables.c_str()), 0);
  EXPECT_TRUE(contains(read_file(dir.file("err")), "version 99"));
  EXPECT_FALSE(fs::exists(dir.path() / "README.md"));
}

TEST_F(Figures, AFileOfAnotherVersionIsAnErrorUntilFresh) {
  const TempDir dir;
  fs::create_directory(dir.path() / "out");
  for (const std::string text : {R"({"format": "opsched figure", "version": 99})", "{}", "damaged"}) {
    write_file_atomically(dir.file("out/last_block.json"), text);
    const ProgramResult result = reproduce("last_block --out " + dir.file("out"));
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(contains(result.err, "last_block.json") && contains(result.err, "--fresh")) << result.err;
    EXPECT_EQ(read_file(dir.file("out/last_block.json")), text);
  }
  EXPECT_EQ(reproduce("last_block --fresh --out " + dir.file("out")).code, 0);
}

TEST_F(Figures, AnInterruptedRunGoesOn) {
  const TempDir dir;
  const std::string out = dir.file("out"), journal = out + "/rows.journal";
  const std::string wait =
      " & pid=$!; while ! grep -q item '" + journal + "' 2>/dev/null; do sleep 0.01; done; kill -INT $pid; wait $pid";
  const ProgramResult stopped = reproduce("batches --no-cache --out " + out + wait);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_FALSE(fs::exists(out + "/batches.json"));
  ASSERT_TRUE(fs::exists(journal));
  const ProgramResult resumed = reproduce("last_block batches --out " + out);
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(contains(resumed.err, "going on")) << resumed.err;
  EXPECT_FALSE(fs::exists(journal));
}

}  // namespace
}  // namespace opsched::test
