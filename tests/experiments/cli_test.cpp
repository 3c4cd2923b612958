// The program from the user's view: help, outputs of commands, and messages about wrong input.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"

namespace opsched::test {
namespace {

namespace fs = std::filesystem;

/// Expects exit code 2, no standard output, and all of these words in the message.
void expect_refused(const std::string& args, const std::vector<std::string>& words) {
  SCOPED_TRACE("opsched " + args);
  const ProgramResult result = run_program(args);
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  for (const std::string& word : words)
    EXPECT_NE(result.err.find(word), std::string::npos) << word << ": " << result.err;
}

std::string output_of(const std::string& args) {
  SCOPED_TRACE("opsched " + args);
  const ProgramResult result = run_program(args);
  EXPECT_EQ(result.code, 0) << result.err;
  return result.out;
}

TEST(Cli, EveryCommandTeachesItself) {
  const std::string help = output_of("--help");
  EXPECT_TRUE(contains(help, "Examples:"));
  for (const std::string command : {"list", "show", "schedule", "run", "trace", "bench"}) {
    EXPECT_TRUE(contains(help, "\n  " + command + " ")) << command;
    EXPECT_TRUE(contains(output_of(command + " --help"), "Examples:\n  opsched " + command)) << command;
  }
}

TEST(Cli, UnknownNamesAreRefusedWithTheKnownOnes) {
  expect_refused("no_such_command", {"'no_such_command'", "bench", "show"});
  expect_refused("list gadgets", {"gadgets", "networks"});
  expect_refused("show alexnet", {"'alexnet'", "squeezenet"});
  expect_refused("show squeezenet --format xml", {"xml", "json"});
  expect_refused("show squeezenet --no-such-option", {"--no-such-option"});
  const std::string profile = " --profile " + made_up_profile();
  expect_refused("schedule squeezenet --scheduler magic" + profile, {"'magic'", "wavefront"});
  expect_refused("schedule squeezenet --scheduler greedy --opt speed=9" + profile, {"'speed'", "groups"});
  expect_refused("schedule squeezenet --scheduler greedy --opt groups=many" + profile, {"groups", "many"});
  expect_refused("schedule squeezenet --scheduler greedy --opt groups" + profile, {"'groups'", "NAME=VALUE"});
  expect_refused("schedule squeezenet --scheduler greedy --opt groups=1 --opt groups=2" + profile, {"groups", "twice"});
  expect_refused("schedule squeezenet --scheduler greedy --precision int4" + profile, {"int4", "fp16"});
  expect_refused("schedule squeezenet --scheduler greedy --device tpu" + profile, {"'tpu'", "sim"});
  expect_refused("schedule squeezenet --scheduler greedy --gpus 3" + profile, {"greedy", "3"});
  expect_refused("schedule squeezenet --scheduler greedy --gpus 0" + profile, {"0"});
  expect_refused("bench --network squeezenet,alexnet" + profile, {"'alexnet'", "squeezenet"});
  expect_refused("bench --scheduler magic" + profile, {"'magic'", "wavefront"});
  expect_refused("bench --batch 1,x" + profile, {"--batch 'x'"});
  expect_refused("bench --batch 0" + profile, {"--batch 0"});
  expect_refused("bench --device tpu" + profile, {"'tpu'", "sim"});
  expect_refused("bench --no-such-option" + profile, {"--no-such-option"});
  expect_refused("bench --benchmark_no_such=1" + profile, {"--benchmark_no_such"});
  expect_refused("bench --benchmark_filter=no_such_name" + profile, {"no_such_name"});
  expect_refused("bench '--benchmark_filter=(('" + profile, {"(("});
}

TEST(Cli, ReplaysSayWhichHostsAreAssumed) {
  const std::string bench = "bench --network squeezenet --scheduler greedy --device sim --profile " + made_up_profile();
  EXPECT_TRUE(contains(output_of(bench + " --hosts 8,12.5,50"), ", hosts of 8 GPUs joined by 12.5 GB/s and 50 us"));
  EXPECT_FALSE(contains(output_of(bench), "hosts of"));
  for (const std::string wrong : {"8", "8,50", "0,50,20", "1.5,50,20", "8,50,20,1"})
    expect_refused(bench + " --hosts " + wrong, {"--hosts", "as in 8,50,20"});
  expect_refused(bench + " --hosts 8,0,20", {"'network'", "bandwidth"});
  expect_refused(bench + " --hosts 8,50,-1", {"'network'", "latency"});
  expect_refused("bench --network squeezenet --device gpu --hosts 8,50,20", {"--hosts", "--device sim"});
}

TEST(Cli, WhichGraphMustBeClear) {
  expect_refused("show", {"--graph"});
  expect_refused("show squeezenet --graph g.json", {"'squeezenet'", "g.json"});
  expect_refused("show squeezenet --batch -1", {"--batch -1"});
  for (const char* image : {"-7", "64x", "x64", "64x-1", "0x64", "64x48x3", "064"})
    expect_refused("show squeezenet --image " + std::string(image), {"'" + std::string(image) + "'", "480x640"});
  expect_refused("show squeezenet --batch many", {"many"});
  expect_refused("show --graph g.json --seed 2", {"g.json", "--seed"});
  expect_refused("show randwire --edge-lists /no/such/folder", {"/no/such/folder"});
  expect_refused("show squeezenet --image 16", {"'pool8/pool'", "least image size is 29"});
  expect_refused("show squeezenet --image 99x16", {"99x16", "'pool8/pool'", "least image size is 29"});
}

TEST(Cli, BrokenGraphFilesAreNamed) {
  const TempDir dir;
  expect_refused("show --graph " + dir.file("absent.json"), {"absent.json"});
  const std::string good = output_of("show squeezenet --image 64 --format json");
  expect_refused("show --graph " + dir.write("cut.json", good.substr(0, good.size() / 2)), {"cut.json"});
  expect_refused("show --graph " + dir.write("text.json", "hello"), {"text.json"});
  expect_refused("show --graph " + dir.write("empty.json", ""), {"empty.json"});
  const auto node = [](const std::string& name, const std::string& from) {
    return R"({"type": "relu", "name": ")" + name + R"(", "hint_name": "", "inputs": [[[")" + from +
           R"(", 0, 3]]], "output_shape": [3, 8, 8]})";
  };
  const std::string input = R"({"type": "placeholder", "name": "x", "hint_name": "", "output_shape": [3, 8, 8]})";
  const std::string cycle = R"({"name": "loop", "input": )" + input +
                            R"(, "blocks": [{"enter_name": "x", "enter_node": )" + input + R"(, "inner_nodes": [)" +
                            node("a", "b") + ", " + node("b", "a") + R"(], "exit_node": )" + node("c", "b") +
                            R"(, "stages": []}]})";
  expect_refused("show --graph " + dir.write("cycle.json", cycle), {"cycle.json", "cycle", "'a'", "'b'"});
}

TEST(Cli, GraphFilesRoundTrip) {
  const TempDir dir;
  const std::string json = output_of("show squeezenet --image 96 --batch 2 --format json");
  const std::string file = dir.write("g.json", json);
  EXPECT_EQ(output_of("show --graph " + file + " --format json"), json);
  EXPECT_TRUE(contains(output_of("show --graph " + file + " --batch 5"), "batch 5"));
  EXPECT_TRUE(output_of("show --graph " + file + " --format dot").starts_with("digraph"));
  EXPECT_TRUE(contains(output_of("show squeezenet --image 96x128"), "input 3x96x128"));
  EXPECT_EQ(output_of("show --graph " + file + " --image 96x128 --format json"),
            output_of("show squeezenet --image 96x128 --batch 2 --format json"));
  expect_refused("show --graph " + file + " --image 16", {"g.json", "'pool8/pool'"});
  EXPECT_EQ(output_of("show squeezenet --image 96 --batch 2 --format json -o " + dir.file("o.json")), "");
  EXPECT_EQ(read_file(dir.file("o.json")), json);
}

TEST(Cli, SchedulesAreFoundKeptAndRun) {
  const TempDir dir;
  const std::string profile = " --device sim --profile " + made_up_profile();
  const std::string file = dir.file("s.json");
  const std::string summary = output_of("schedule squeezenet --scheduler ios-both -o " + file + profile);
  EXPECT_TRUE(contains(summary, "simulated; replayed from " + made_up_profile())) << summary;
  EXPECT_EQ(output_of("schedule squeezenet --scheduler ios-both --format json" + profile), read_file(file));

  const std::string run = output_of("run squeezenet --schedule " + file + profile);
  EXPECT_TRUE(contains(run, " images per second")) << run;
  EXPECT_TRUE(contains(run, "ms, simulated; replayed from")) << run;
  const std::string numbers = output_of("run squeezenet --device cpu --schedule " + file);
  EXPECT_TRUE(contains(numbers, "relative error")) << numbers;
  EXPECT_FALSE(contains(numbers, " ms")) << numbers;

  expect_refused("run randwire --schedule " + file + profile, {"s.json", "squeezenet", "randwire"});
  const std::string text = read_file(file);
  expect_refused("run squeezenet --schedule " + dir.write("cut.json", text.substr(0, text.size() - 200)) + profile,
                 {"cut.json"});
  expect_refused("run squeezenet --schedule " + dir.file("absent.json") + profile, {"absent.json"});
}

TEST(Cli, DagsAreScheduledByNumber) {
  const TempDir dir;
  const std::string dag = dir.write("d.txt", "3\n0 1.0 1\n1 2.0 1\n2 1.5 1\n2\n2 0 0.5\n2 1 0.5\n");
  const auto json = nlohmann::json::parse(output_of("schedule --scheduler sequential --format json --dag " + dag));
  EXPECT_DOUBLE_EQ(json.at("makespan").get<double>(), 4.5);
  EXPECT_DOUBLE_EQ(json.at("lower_bound").get<double>(), 4.5);
  EXPECT_GE(json.at("seconds").get<double>(), 0);
  ASSERT_EQ(json.at("devices").size(), 1U);
  EXPECT_EQ(json.at("devices")[0].at("stages")[0], nlohmann::json::parse("[[2]]"));
  expect_refused("schedule --scheduler sequential --dag " + dir.write("cut.txt", "3\n0 1.0 1\n"), {"cut.txt"});
}

TEST(Cli, MissingAndForeignProfilesAreNamed) {
  const TempDir dir;
  const std::string schedule = "schedule squeezenet --scheduler greedy --device sim --profile ";
  expect_refused(schedule + dir.file("absent"), {"absent", "profile"});
  const std::string file = made_up_profile() + "/profile-fp32.json";
  const std::string text = read_file(file);
  fs::create_directory(dir.path() / "cut");
  dir.write("cut/profile-fp32.json", text.substr(0, text.size() / 2));
  expect_refused(schedule + dir.file("cut"), {"cut/profile-fp32.json"});
  fs::create_directory(dir.path() / "other");
  dir.write("other/profile-fp16.json", text);  // of another precision
  expect_refused(schedule + dir.file("other") + " --precision fp16", {"other/profile-fp16.json", "fp32"});
  expect_refused(schedule + made_up_profile() + "/absent", {"absent"});
}

TEST(Cli, WithoutAGpuItSaysSo) {
  if (fs::exists("/dev/nvidiactl")) GTEST_SKIP() << "this host has a GPU";
  expect_refused("bench --device gpu", {"no GPU", "--device sim"});
  expect_refused("schedule squeezenet --scheduler greedy --device gpu", {"no GPU"});
}

TEST(Cli, WhatCannotBeWrittenIsNamedAndLeftAlone) {
  const TempDir dir;
  const std::string blocker = dir.write("file", "mine");
  const std::string profile = " --device sim --profile " + made_up_profile();
  expect_refused("show squeezenet -o " + blocker + "/g.json", {"file/g.json"});
  expect_refused("show squeezenet -o /proc/none/g.json", {"/proc/none"});
  expect_refused("schedule squeezenet --scheduler greedy -o " + blocker + "/s.json" + profile, {"file/s.json"});
  expect_refused("bench --network squeezenet --out " + blocker + "/results" + profile, {"file/results"});
  EXPECT_EQ(read_file(blocker), "mine");

  // A failing command leaves an existing file unchanged, and creates none.
  expect_refused("schedule squeezenet --scheduler greedy --opt groups=0 -o " + blocker + profile, {"groups"});
  EXPECT_EQ(read_file(blocker), "mine");
  expect_refused("show alexnet -o " + dir.file("new.json"), {"alexnet"});
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);

  const ProgramResult full = run_program("show nasnet --format json >/dev/full");
  EXPECT_EQ(full.code, 2);
}

TEST(Cli, AReplayHasReluWhereItsProfileHadIt) {
  const ProgramResult result =
      run_program("schedule squeezenet --scheduler greedy --device sim --late-relu --profile " + made_up_profile());
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(contains(result.err, "--late-relu needs a GPU")) << result.err;
}

}  // namespace
}  // namespace opsched::test
