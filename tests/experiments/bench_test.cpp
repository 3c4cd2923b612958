// The benchmark program, replaying a made-up device.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string bench_line(const std::string& args) {
  return "bench --device sim --profile " + made_up_profile() + " " + args;
}

std::string bench(const std::string& args) {
  SCOPED_TRACE(args);
  const ProgramResult result = run_program(bench_line(args));
  EXPECT_EQ(result.code, 0) << result.err;
  return result.out;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json by_name(const std::string& file) {
  json map;
  const json contents = json::parse(read_file(file));
  for (const json& entry : contents.at(contents.contains("benchmarks") ? "benchmarks" : "results"))
    map[entry.at("name").get<std::string>()] = entry;
  return map;
}

TEST(Bench, TheFirstLineSaysWhereTheNumbersComeFromAndTheLastIsATable) {
  const std::string out = bench("--network squeezenet --scheduler sequential,wavefront,ios-both");
  EXPECT_TRUE(out.starts_with("replayed from " + made_up_profile())) << out;
  for (const std::string precision : {"fp32", "tf32", "fp16"})
    EXPECT_TRUE(contains(out, "\nsqueezenet/wavefront/batch:1/" + precision + "/gpus:1 ")) << out;
  EXPECT_TRUE(contains(out, "\nnetwork     scheduler")) << out;
  EXPECT_TRUE(contains(out, "\nsqueezenet  sequential")) << out;
  EXPECT_TRUE(contains(out, "1.00x")) << out;
}

TEST(Bench, NothingIsSearchedBeforeTheOptionsAreRead) {
  TempDir dir;
  const std::string cache = dir.file("schedules");
  const std::string args = "--network squeezenet --scheduler greedy,wavefront --cache " + cache;
  EXPECT_EQ(run_program(bench_line(args + " --benchmark_no_such_flag=1")).code, 2);
  EXPECT_FALSE(fs::exists(cache));
  bench(args);
  EXPECT_TRUE(fs::exists(cache));
}

TEST(Bench, EveryCombinationHasAName) {
  const std::string all = bench("--list --batch all --gpus 1 --image 0,512");
  int names = 0;
  for (char c : all) names += c == '\n';
  int schedulers = 0;
  for (char c : bench("--list --network nasnet --precision tf32")) schedulers += c == '\n';
  EXPECT_GE(schedulers, 4);
  EXPECT_EQ(names, 4 * schedulers * 5 * 3 * 2);
  EXPECT_TRUE(contains(all, "nasnet/dataflow/batch:128/image:512/fp16/gpus:1\n"));
  EXPECT_EQ(bench("--list --benchmark_filter='squeezenet/seq.*fp32'"), "squeezenet/sequential/batch:1/fp32/gpus:1\n");
  EXPECT_EQ(bench("--benchmark_list_tests --benchmark_filter='squeezenet/seq.*fp32/gpus:1$'"),
            "squeezenet/sequential/batch:1/fp32/gpus:1\n");
  EXPECT_FALSE(contains(bench("--list --benchmark_filter=-nasnet"), "nasnet"));
}

TEST(Bench, JsonHasLatencyAndCounters) {
  const TempDir dir;
  bench("--network squeezenet --precision fp32 --scheduler sequential,wavefront,dataflow --benchmark_out=" +
        dir.file("gb.json"));
  const json runs = by_name(dir.file("gb.json"));
  ASSERT_EQ(runs.size(), 3U);
  const double sequential = runs["squeezenet/sequential/batch:1/fp32/gpus:1"]["real_time"].get<double>();
  for (const auto& [name, run] : runs.items()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(run.at("time_unit"), "ms");
    const double ms = run.at("real_time").get<double>();
    EXPECT_GT(ms, 0);
    EXPECT_NEAR(run.at("speedup").get<double>(), sequential / ms, 1e-6);
    EXPECT_GE(run.at("stages").get<double>(), 1);
    EXPECT_GT(run.at("gap").get<double>(), -0.5);
    EXPECT_GT(run.at("peak_bytes").get<double>(), 0);
  }
  EXPECT_EQ(runs["squeezenet/sequential/batch:1/fp32/gpus:1"]["stages"].get<double>(), 50);
  EXPECT_LT(runs["squeezenet/wavefront/batch:1/fp32/gpus:1"]["stages"].get<double>(), 50);
}

TEST(Bench, RepetitionsAreGoogleBenchmarks) {
  const TempDir dir;
  bench("--benchmark_filter=squeezenet/sequential.*fp32 --benchmark_repetitions=3 --benchmark_out=" +
        dir.file("gb.json"));
  const json contents = json::parse(read_file(dir.file("gb.json")));
  int runs = 0, aggregates = 0;
  for (const json& run : contents.at("benchmarks")) (run.at("run_type") == "aggregate" ? aggregates : runs) += 1;
  EXPECT_EQ(runs, 3);
  EXPECT_GE(aggregates, 3);
}

TEST(Bench, SchedulesAreFoundOnce) {
  const TempDir dir;
  const std::string args = "--network squeezenet --precision fp32 --cache " + dir.file("cache");
  const std::string first = bench(args + " --scheduler ios-both,greedy");
  std::vector<fs::file_time_type> times;
  for (const auto& entry : fs::directory_iterator(dir.path() / "cache/schedules"))
    times.push_back(entry.last_write_time());
  EXPECT_EQ(times.size(), 3U);  // and the baseline

  const auto table = [](const std::string& out) { return out.substr(out.find("\nnetwork ")); };
  EXPECT_EQ(table(bench(args + " --scheduler ios-both,greedy")), table(first));
  std::size_t found = 0;
  for (const auto& entry : fs::directory_iterator(dir.path() / "cache/schedules"))
    found += static_cast<std::size_t>(std::ranges::count(times, entry.last_write_time()));
  EXPECT_GE(found, 3U);

  for (const auto& entry : fs::directory_iterator(dir.path() / "cache/schedules"))
    write_file_atomically(entry.path().string(), "damaged");
  EXPECT_EQ(table(bench(args + " --scheduler ios-both,greedy")), table(first));
}

TEST(Bench, WhatCannotRunIsSkippedWithTheReason) {
  const TempDir dir;
  fs::create_directory(dir.path() / "fp32");
  fs::copy(made_up_profile() + "/profile-fp32.json", dir.file("fp32/profile-fp32.json"));
  const std::string line =
      "bench --device sim --profile " + dir.file("fp32") + " --network squeezenet --scheduler sequential --precision ";
  const ProgramResult some = run_program(line + "fp32,fp16");
  EXPECT_EQ(some.code, 0) << some.err;
  EXPECT_TRUE(contains(some.out, "skipped, nothing is recorded in fp16")) << some.out;
  const ProgramResult none = run_program(line + "fp16");
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(contains(none.err, "no benchmark could run")) << none.err;
  const ProgramResult gpus = run_program(line + "fp32 --gpus 1,2");
  EXPECT_EQ(gpus.code, 0) << gpus.err;
  EXPECT_TRUE(contains(gpus.out, "squeezenet/sequential/batch:1/fp32/gpus:2")) << gpus.out;
  EXPECT_TRUE(contains(gpus.out, "skipped, ")) << gpus.out;
}

TEST(Bench, ResultsAreKeptAndMerged) {
  const TempDir dir;
  const std::string out = " --out " + dir.file("out"), file = dir.file("out/bench.json");
  bench("--benchmark_filter='squeezenet/(sequential|greedy).*fp32'" + out);
  const json first = by_name(file);
  EXPECT_EQ(first.size(), 2U);
  bench("--benchmark_filter='squeezenet/(wavefront|greedy).*fp32'" + out);
  const json second = by_name(file);
  EXPECT_EQ(second.size(), 3U);
  for (const auto& [name, entry] : first.items()) EXPECT_EQ(second.at(name).at("ms"), entry.at("ms"));
  EXPECT_FALSE(fs::exists(file + ".journal"));

  write_file_atomically(file, "{}");
  const ProgramResult foreign = run_program(bench_line("--benchmark_filter=squeezenet/sequential" + out));
  EXPECT_EQ(foreign.code, 2);
  EXPECT_TRUE(contains(foreign.err, "out/bench.json")) << foreign.err;
  EXPECT_EQ(read_file(file), "{}");
}

TEST(Bench, ResultsOfAnotherDeviceOrVersionAreReplacedNotMixed) {
  const TempDir dir;
  const std::string out = " --out " + dir.file("out"), file = dir.file("out/bench.json");
  bench("--benchmark_filter='squeezenet/(greedy|dataflow)/.*fp32'" + out);
  json edited = json::parse(read_file(file));
  const std::size_t before = edited.at("results").size();
  edited["origin"] = "measured on another GPU";
  write_file_atomically(file, edited.dump());
  const ProgramResult run = run_program(bench_line("--benchmark_filter='squeezenet/sequential.*fp32'" + out));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(contains(run.err, "the " + std::to_string(before) + " results in " + dir.file("out"))) << run.err;
  EXPECT_EQ(by_name(file).size(), 1U);
}

TEST(Bench, AReplayHasNothingToSettle) {
  const TempDir dir;
  const std::string args = "--benchmark_filter='squeezenet/(sequential|greedy).*fp32' --out ";
  const ProgramResult run = run_program(bench_line(args + dir.file("out")));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_FALSE(contains(run.err, "settle")) << run.err;
  const ProgramResult without = run_program(bench_line("--no-settle " + args + dir.file("without")));
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_EQ(by_name(dir.file("out/bench.json")).size(), by_name(dir.file("without/bench.json")).size());
}

TEST(Bench, AnInterruptedRunKeepsItsResultsAndGoesOn) {
  const TempDir dir;
  const std::string journal = dir.file("out/bench.json.journal");
  // Interrupted once the first result is there; the others take much longer than that.
  const std::string wait = " & pid=$!; while ! grep -q sequential '" + journal +
                           "' 2>/dev/null; do sleep 0.01; done; kill -INT $pid; wait $pid";
  const std::string args =
      "--network nasnet --precision fp32 --scheduler sequential,ios-parallel,ios-both --no-cache --out " +
      dir.file("out");
  const ProgramResult stopped = run_program(bench_line(args) + wait);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_FALSE(fs::exists(dir.path() / "out/bench.json"));

  const ProgramResult resumed =
      run_program(bench_line("--network nasnet --precision fp32 --scheduler sequential --out " + dir.file("out")));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(contains(resumed.err, "1 results kept")) << resumed.err;
  EXPECT_EQ(by_name(dir.file("out/bench.json")).size(), 1U);
  EXPECT_FALSE(fs::exists(journal));
}

}  // namespace
}  // namespace opsched::test
