// opsched bench, replaying a synthetic device.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "experiments/device/device.hpp"
#include "experiments/records/record_file.hpp"
#include "networks/network.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"

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

/// The runs in a file of Google Benchmark, by our names.
json by_name(const std::string& file) {
  json map;
  const json contents = json::parse(read_file(file));
  for (const json& entry : contents.at("benchmarks")) {
    const std::string name = entry.at("name");
    map[name.substr(0, name.find("/iterations:"))] = entry;
  }
  return map;
}

/// Valid latencies in a folder, by key.
std::map<std::string, double> standing(const std::string& folder) {
  std::map<std::string, double> values;
  const records::Records all = records::Records::read(folder);
  for (const records::Record* r : all.standing()) values[r->key()] = r->value.value_or(0);
  return values;
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

TEST(Bench, OptionsStandBehindTheirSchedulers) {
  EXPECT_EQ(bench("--list --network squeezenet --scheduler heft,split=rows,hios-lp --gpus 2 --precision fp32"),
            "squeezenet/heft,split=rows/batch:1/fp32/gpus:2\nsqueezenet/hios-lp/batch:1/fp32/gpus:2\n");
  EXPECT_EQ(run_program(bench_line("--list --scheduler split=rows,heft")).code, 2);
}

TEST(Bench, EveryCombinationHasAName) {
  const std::string all = bench("--list --batch all --gpus 1 --image 0,512");
  int names = 0;
  for (char c : all) names += c == '\n';
  int schedulers = 0;
  for (char c : bench("--list --network nasnet --precision tf32")) schedulers += c == '\n';
  EXPECT_GE(schedulers, 4);
  EXPECT_EQ(names, static_cast<int>(networks().size()) * schedulers * 5 * 3 * 2);
  EXPECT_TRUE(contains(all, "nasnet/dataflow/batch:128/image:512/fp16/gpus:1\n"));
  EXPECT_EQ(bench("--list --benchmark_filter='squeezenet/seq.*fp32'"), "squeezenet/sequential/batch:1/fp32/gpus:1\n");
  EXPECT_EQ(bench("--benchmark_list_tests --benchmark_filter='squeezenet/seq.*fp32/gpus:1$'"),
            "squeezenet/sequential/batch:1/fp32/gpus:1\n");
  EXPECT_FALSE(contains(bench("--list --benchmark_filter=-nasnet"), "nasnet"));
}

TEST(Bench, FilesOfGoogleBenchmarkHaveLatencyContextAndCounters) {
  const TempDir dir;
  bench("--network squeezenet --precision fp32 --scheduler sequential,wavefront,dataflow --benchmark_out=" +
        dir.file("gb.json"));
  const json runs = by_name(dir.file("gb.json"));
  ASSERT_EQ(runs.size(), 3U);
  const double sequential = runs.at("squeezenet/sequential/batch:1/fp32/gpus:1").at("real_time");
  for (const auto& [name, run] : runs.items()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(run.at("time_unit"), "us");
    EXPECT_EQ(run.at("iterations"), 1) << "one number, not samples of it";
    const double us = run.at("real_time");
    EXPECT_GT(us, 10);
    EXPECT_NEAR(run.at("speedup").get<double>(), sequential / us, 1e-6);
    EXPECT_EQ(run.at("label"), "simulated");
  }
  const json context = json::parse(read_file(dir.file("gb.json"))).at("context");
  EXPECT_TRUE(context.contains("device") && context.contains("source")) << context;
}

TEST(Bench, ReplaysAreNotRepeated) {
  const TempDir dir;
  bench("--benchmark_filter=squeezenet/sequential.*fp32 --benchmark_repetitions=3 --benchmark_out=" +
        dir.file("gb.json"));
  const json file = json::parse(read_file(dir.file("gb.json")));
  for (const json& run : file.at("benchmarks"))
    EXPECT_EQ(run.at("run_type"), "iteration") << "a simulated number has no median, no deviation";
}

TEST(Bench, WrongFlagsAreRefusedBeforeAnythingRuns) {
  for (const std::string flag : {"--benchmark_repetitions=-1", "--benchmark_repetitions=x", "--benchmark_min_time=-1",
                                 "--benchmark_out=/nope/x", "--benchmark_format=xml", "--benchmark_no_such=1"}) {
    const ProgramResult run = run_program(bench_line("--network squeezenet --scheduler sequential '" + flag + "'"));
    EXPECT_EQ(run.code, 2) << flag << ": " << run.err;
    EXPECT_TRUE(contains(run.err, flag.substr(0, flag.find('=')))) << run.err;
    EXPECT_FALSE(contains(run.out, "ms")) << run.out;
  }
}

TEST(Bench, SchedulesAreFoundOnce) {
  const TempDir dir;
  const std::string args = "--network squeezenet --precision fp32 --cache " + dir.file("cache");
  const std::string first = bench(args + " --scheduler ios-both,greedy");
  std::vector<fs::file_time_type> times;
  for (const auto& entry : fs::directory_iterator(dir.path() / "cache/schedules"))
    times.push_back(entry.last_write_time());
  EXPECT_EQ(times.size(), 3U);  // plus the baseline

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

TEST(Bench, RecordsAreAppended) {
  const TempDir dir;
  const std::string out = " --out " + dir.file("out"), file = dir.file("out/records.jsonl");
  bench("--benchmark_filter='squeezenet/(sequential|greedy).*fp32'" + out);
  const std::string before = read_file(file);
  const auto first = standing(dir.file("out"));
  EXPECT_EQ(first.size(), 2U);
  bench("--benchmark_filter='squeezenet/(sequential|wavefront|greedy).*fp32'" + out);
  EXPECT_TRUE(read_file(file).starts_with(before));
  const auto second = standing(dir.file("out"));
  EXPECT_EQ(second.size(), 3U);
  for (const auto& [key, value] : first) EXPECT_EQ(second.at(key), value);

  write_file_atomically(file, "{}\n");
  const ProgramResult foreign = run_program(bench_line("--benchmark_filter=squeezenet/sequential" + out));
  EXPECT_EQ(foreign.code, 2);
  EXPECT_TRUE(contains(foreign.err, "out/records.jsonl")) << foreign.err;
  EXPECT_EQ(read_file(file), "{}\n");
}

TEST(Bench, WhatDidNotChangeIsNotWrittenAgain) {
  const TempDir dir;
  const std::string args = "--benchmark_filter='squeezenet/(sequential|greedy).*fp32' --out " + dir.file("out");
  bench(args);
  const std::string before = read_file(dir.file("out/records.jsonl"));
  bench(args);
  EXPECT_EQ(read_file(dir.file("out/records.jsonl")), before);
}

TEST(Bench, AMeasurementIsNeverReplacedByAReplayUnlessAskedByName) {
  const TempDir dir;
  fs::copy(made_up_profile(), dir.file("folder"), fs::copy_options::recursive);
  const std::string folder = dir.file("folder");
  const records::Case what{.network = "squeezenet", .scheduler = "sequential"};
  {
    const std::unique_ptr<Device> device = open_recorded({.kind = "sim", .profile = folder, .report = {}});
    records::RecordFile file(folder, device->run());
    file.add({.what = what, .value = 123.5, .unit = "ms", .provenance = Provenance::measured});
    file.finish();
  }
  const std::string line = "bench --device sim --profile " + folder + " --out " + folder +
                           " --network squeezenet --precision fp32 --scheduler sequential,greedy";
  const ProgramResult run = run_program(line);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(contains(run.out, "123.500")) << run.out;
  EXPECT_EQ(standing(folder).at("squeezenet/sequential/batch:1/fp32/gpus:1"), 123.5);
  EXPECT_EQ(records::Records::read(folder).find(what)->provenance, Provenance::measured);
}

TEST(Bench, AnInterruptedRunKeepsItsResultsAndGoesOn) {
  const TempDir dir;
  const std::string file = dir.file("out/records.jsonl");
  // Interrupt once the first record is there; the other cases take much longer.
  const std::string wait = " & pid=$!; while ! grep -q '\"record\"' '" + file +
                           "' 2>/dev/null; do sleep 0.01; done; kill -INT $pid; wait $pid";
  const std::string args =
      "--network nasnet --precision fp32 --scheduler sequential,ios-parallel,ios-both --no-cache --out " +
      dir.file("out");
  const ProgramResult stopped = run_program(bench_line(args) + wait);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  const std::size_t kept = standing(dir.file("out")).size();
  EXPECT_GE(kept, 1U);
  EXPECT_LT(kept, 3U);
  EXPECT_FALSE(contains(read_file(file), "\"end\""));

  const ProgramResult resumed = run_program(bench_line(args));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(contains(resumed.err, std::to_string(kept) + " records are in")) << resumed.err;
  EXPECT_EQ(standing(dir.file("out")).size(), 3U);
  EXPECT_TRUE(contains(read_file(file), "\"end\""));
}

}  // namespace
}  // namespace opsched::test
