// The baselines' driver on a machine without any baseline.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "core/files.hpp"
#include "experiments/records/record_file.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::test {
namespace {

using records::Record;

class Baselines : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c pass >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  }

  /// Returns the exit code. An interpreter that cannot import anything stands for one without baselines.
  int run(const std::string& more, const std::string& python = "/bin/false") const {
    const std::string line = "PYTHONDONTWRITEBYTECODE=1 python3 " OPSCHED_TEST_DATA
                             "/../../experiments/baselines/run_baselines.py --opsched " OPSCHED_PROGRAM " --python '" +
                             python + "' --out '" + dir_.file("out") + "' " + more + " >'" + dir_.file("log") +
                             "' 2>&1";
    const int status = std::system(line.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::vector<Record> kept() const { return records::Records::read(dir_.file("out")).all(); }
  std::string log() const { return read_file(dir_.file("log")); }

  TempDir dir_;
};

TEST_F(Baselines, AbsentOnesAreRecordedAsAbsent) {
  ASSERT_EQ(run("--network squeezenet --precision fp32 --batch 1,2"), 0) << log();
  ASSERT_EQ(kept().size(), 26U);  // five modes of PyTorch and one of JAX in two layouts, and TensorRT, two batches
  for (const Record& record : kept()) {
    EXPECT_EQ(record.missing.rfind("absent: ", 0), 0U) << record.missing;
    EXPECT_FALSE(record.value.has_value()) << record.key();
  }
}

TEST_F(Baselines, WhatIsKnownIsNotMeasuredAgain) {
  {
    records::RecordFile file(dir_.file("out"), {.device = "a GPU"});
    file.add({.what = {.network = "squeezenet", .scheduler = "eager", .software = "pytorch"},
              .value = 0.5,
              .unit = "ms",
              .numbers = {{"relative_error", 1e-6}}});
    file.finish();
  }
  const std::vector<Record> before = kept();
  ASSERT_EQ(run("--network squeezenet --precision fp32 --baselines pytorch --modes eager"), 0) << log();
  EXPECT_EQ(kept(), before);  // everything was done already
}

// An interpreter whose PyTorch crashes at batch 2 and sleeps at batch 3.
constexpr const char* kBaseline = R"(#!/usr/bin/env python3
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
    latency = {mode: {"median": 1.5, "unit": "ms", "relative_error": 0} for mode in request["modes"]}
    for found in latency.values():
        found["protocols"] = {p: {"median": 3, "p99": 4, "runs": 5, "unit": "mJ" if p == "energy" else "ms"} if p != "cold"
                              else {"failed": "too warm"} for p in request["protocols"]}
    answer = {"prepared": request["modes"]} if request["do"] == "prepare" else {
        "device": "a GPU", "versions": {"torch": "1", "cuda": "13.0", "cudnn": 91900}, "clocks": {}, "latency": latency}
    print(json.dumps(answer), flush=True)
)";

TEST_F(Baselines, OneThatCrashesOrHangsHasFailedAndTheRestGoesOn) {
  const std::string python = dir_.write("python", kBaseline);
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const std::string words = "--network squeezenet --precision fp32 --baselines pytorch --device cpu --batch 1,2,3,4 ";
  for (const char* jobs : {"--modes eager --timeout 5", "--modes compile --compile-jobs 4 --timeout 8"}) {
    std::filesystem::remove_all(dir_.path() / "out");
    ASSERT_EQ(run(words + jobs, python), 0) << log();
    ASSERT_EQ(kept().size(), 4U) << log();
    for (const Record& record : kept()) {
      const int batch = record.what.batch;
      EXPECT_EQ(record.value.has_value(), batch == 1 || batch == 4) << jobs << record.missing;
      if (batch == 2) {
        EXPECT_EQ(record.missing, "failed: exit code 1: out of luck") << jobs;
      }
      if (batch == 3) {
        EXPECT_NE(record.missing.find("--timeout"), std::string::npos) << jobs;
      }
    }
  }
}

TEST_F(Baselines, SeveralModesAreCompiledSideBySide) {
  const std::string python = dir_.write("python", kBaseline);
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  ASSERT_EQ(run("--network squeezenet --precision fp32 --baselines pytorch --device cpu --batch 1,4,5 "
                "--modes eager,compile,compile+mm --compile-jobs 5",
                python),
            0)
      << log();
  EXPECT_EQ(kept().size(), 9U);
  const std::string text = log();
  const std::size_t first = text.find("compiles 4 modes of 2 cases"), second = text.find("compiles 2 modes of 1 cases");
  EXPECT_LT(first, second) << text;
  EXPECT_NE(second, std::string::npos) << text;
}

TEST_F(Baselines, ARecordSaysWhatRanWhereAndWithWhichVersions) {
  const std::string python = dir_.write("python", kBaseline);
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const std::string words = "--network squeezenet --precision fp32 --baselines pytorch --modes eager --device cpu ";
  ASSERT_EQ(run(words, python), 0) << log();
  ASSERT_EQ(run(words + "--image 0,64", python), 0) << log();
  const records::Records records = records::Records::read(dir_.file("out"));
  ASSERT_EQ(records.all().size(), 2U);
  EXPECT_EQ(records.all()[0].key(), "pytorch:squeezenet/eager/batch:1/fp32/gpus:1");
  EXPECT_EQ(records.all()[1].what.image, 64);
  const records::Run& run = records.run_of(records.all()[0]);
  EXPECT_EQ(run.where(), "a GPU, CUDA 13.0, cuDNN 9.19.0, torch 1");
  EXPECT_NE(run.command.find("run_baselines.py"), std::string::npos);
  EXPECT_TRUE(records.ended(run.id));
  EXPECT_TRUE(records.warnings().empty());
}

TEST_F(Baselines, ProtocolsAreRecordsOfTheirOwnAndMeasuredOnce) {
  const std::string python = dir_.write("python", kBaseline);
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const std::string words =
      "--network squeezenet --precision fp32 --baselines pytorch --modes eager --device cpu --batch 4 ";
  ASSERT_EQ(run(words, python), 0) << log();
  const std::string more = words + "--measure cold,in-flight=2,energy";
  ASSERT_EQ(run(more, python), 0) << log();
  const std::vector<Record> found = kept();
  std::map<std::string, Record> by_name;
  for (const Record& record : found)
    if (record.quantity == "protocol") by_name.emplace(record.labels.at("protocol"), record);
  ASSERT_EQ(by_name.size(), 3U) << log();
  EXPECT_EQ(by_name.at("cold").missing, "too warm");
  EXPECT_EQ(by_name.at("in-flight").labels.at("in_flight"), "2");
  EXPECT_DOUBLE_EQ(by_name.at("in-flight").spread->p99, 4);
  EXPECT_EQ(by_name.at("energy").unit, "mJ");
  EXPECT_NEAR(by_name.at("energy").number("images_per_joule"), 4000.0 / 3, 1e-6);
  ASSERT_EQ(run(more, python), 0) << log();
  EXPECT_EQ(kept(), found);  // everything was done already
}

TEST_F(Baselines, WrongInputIsNamed) {
  for (const auto& [args, word] : {std::pair<std::string, std::string>{"--network alexnet", "alexnet"},
                                   {"--precision int4", "int4"},
                                   {"--modes magic", "magic"},
                                   {"--batch 0", "0"},
                                   {"--image small", "small"},
                                   {"--measure warm", "there are: replays, lone"},
                                   {"--baselines caffe", "caffe"}}) {
    EXPECT_EQ(run(args), 2) << args;
    EXPECT_NE(log().find(word), std::string::npos) << log();
  }
  std::filesystem::create_directory(dir_.path() / "out");
  dir_.write("out/records.jsonl", "{\"format\": \"another\"}\n");
  EXPECT_EQ(run("--network squeezenet --precision fp32"), 2);
  EXPECT_NE(log().find("records.jsonl"), std::string::npos) << log();
}

}  // namespace
}  // namespace opsched::test
