// The driver of the peers, where none is installed.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::test {
namespace {

using nlohmann::json;

class Peers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c pass >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  }

  /// Exit code. An interpreter that cannot import anything stands for one without peers.
  int run(const std::string& more, const std::string& python = "/bin/false") const {
    const std::string line = "PYTHONDONTWRITEBYTECODE=1 python3 " OPSCHED_TEST_DATA
                             "/../../experiments/baselines/run_baselines.py --opsched " OPSCHED_PROGRAM " --python '" +
                             python + "' --out '" + dir_.file("out") + "' " + more + " >'" + dir_.file("log") +
                             "' 2>&1";
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

// An interpreter whose PyTorch crashes at batch 2 and sleeps at batch 3.
constexpr const char* kPeer = R"(#!/usr/bin/env python3
import json, sys, time
if sys.argv[1] == "-c":
    print('{"torch": true}')
    sys.exit()
for line in sys.stdin:
    request = json.loads(line)
    if "squeezenet-2-" in request["graph"]:
        sys.exit("out of luck")
    if "squeezenet-3-" in request["graph"]:
        time.sleep(60)
    latency = {mode: {"median_ms": 1.5, "relative_error": 0} for mode in request["modes"]}
    answer = {"prepared": request["modes"]} if request["do"] == "prepare" else {
        "device": "a GPU", "versions": {"torch": "1"}, "clocks": {}, "latency": latency}
    print(json.dumps(answer), flush=True)
)";

TEST_F(Peers, OneThatCrashesOrHangsHasFailedAndTheRestGoesOn) {
  const std::string python = dir_.write("python", kPeer);
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const std::string words = "--network squeezenet --precision fp32 --peers pytorch --device cpu --batch 1,2,3,4 ";
  for (const char* jobs : {"--modes eager --timeout 1", "--modes compile --compile-jobs 4 --timeout 2"}) {
    std::filesystem::remove_all(dir_.path() / "out");
    ASSERT_EQ(run(words + jobs, python), 0) << log();
    ASSERT_EQ(entries().size(), 4U) << log();
    for (const json& entry : entries())
      for (const auto& [mode, latency] : entry.at("latency").items()) {
        const int batch = entry.at("batch");
        EXPECT_EQ(latency.contains("median_ms"), batch == 1 || batch == 4) << jobs << latency;
        if (batch == 2) {
          EXPECT_EQ(latency.value("failed", ""), "exit code 1: out of luck") << jobs;
        }
        if (batch == 3) {
          EXPECT_NE(latency.value("failed", "").find("--timeout"), std::string::npos) << jobs;
        }
      }
  }
}

TEST_F(Peers, ImageSizesAreKeptApart) {
  const std::string python = dir_.write("python", kPeer);
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const std::string words = "--network squeezenet --precision fp32 --peers pytorch --modes eager --device cpu ";
  ASSERT_EQ(run(words, python), 0) << log();
  ASSERT_EQ(run(words + "--image 0,64", python), 0) << log();
  ASSERT_EQ(entries().size(), 2U);
  EXPECT_FALSE(entries()[0].contains("image"));
  EXPECT_EQ(entries()[1].at("image"), 64);
}

TEST_F(Peers, WrongInputIsNamed) {
  for (const auto& [args, word] : {std::pair<std::string, std::string>{"--network alexnet", "alexnet"},
                                   {"--precision int4", "int4"},
                                   {"--modes magic", "magic"},
                                   {"--batch 0", "0"},
                                   {"--image small", "small"},
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
