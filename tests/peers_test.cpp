// The driver of the peers, where none is installed.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.hpp"
#include "tests/program.hpp"

namespace opsched::test {
namespace {

using nlohmann::json;

class Peers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c pass >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  }

  /// Exit code. An interpreter that cannot import anything stands for one without peers.
  int run(const std::string& more) const {
    const std::string line = "PYTHONDONTWRITEBYTECODE=1 python3 " OPSCHED_TEST_DATA
                             "/../../experiments/peers/run_peers.py --opsched " OPSCHED_PROGRAM
                             " --python /bin/false --out '" +
                             dir_.file("out") + "' " + more + " >'" + dir_.file("log") + "' 2>&1";
    const int status = std::system(line.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::vector<json> entries() const {
    std::vector<json> list;
    std::istringstream lines(read_file(dir_.file("out/peers.jsonl")));
    for (std::string line; std::getline(lines, line);) list.push_back(json::parse(line));
    return list;
  }
  std::string log() const { return read_file(dir_.file("log")); }

  TempDir dir_;
};

TEST_F(Peers, AbsentOnesAreRecordedAsAbsent) {
  ASSERT_EQ(run("--network squeezenet --precision fp32 --batch 1,2"), 0) << log();
  ASSERT_EQ(entries().size(), 6U);  // three peers, two batches
  for (const json& entry : entries())
    for (const auto& [mode, latency] : entry.at("latency").items()) {
      EXPECT_TRUE(latency.contains("absent")) << mode;
      EXPECT_FALSE(latency.contains("median_ms")) << mode;
    }
}

TEST_F(Peers, WhatIsKnownStays) {
  std::filesystem::create_directory(dir_.path() / "out");
  const json known = {{"peer", "pytorch"},
                      {"graph", "squeezenet"},
                      {"batch", 1},
                      {"precision", "fp32"},
                      {"device", "no GPU"},
                      {"versions", json::object()},
                      {"clocks", json::object()},
                      {"latency", {{"eager", {{"median_ms", 0.5}, {"relative_error", 1e-6}}}}}};
  dir_.write("out/peers.jsonl", known.dump() + "\n");
  ASSERT_EQ(run("--network squeezenet --precision fp32 --peers pytorch --modes eager"), 0) << log();
  EXPECT_EQ(entries(), std::vector<json>{known});  // nothing was left to do
}

TEST_F(Peers, WrongInputIsNamed) {
  for (const auto& [args, word] : {std::pair<std::string, std::string>{"--network alexnet", "alexnet"},
                                   {"--precision int4", "int4"},
                                   {"--modes magic", "magic"},
                                   {"--batch 0", "0"},
                                   {"--peers caffe", "caffe"}}) {
    EXPECT_EQ(run(args), 2) << args;
    EXPECT_NE(log().find(word), std::string::npos) << log();
  }
  std::filesystem::create_directory(dir_.path() / "out");
  dir_.write("out/peers.jsonl", "{\"peer\": 1\n");
  EXPECT_EQ(run("--network squeezenet --precision fp32"), 2);
  EXPECT_NE(log().find("peers.jsonl:1"), std::string::npos) << log();
}

}  // namespace
}  // namespace opsched::test
