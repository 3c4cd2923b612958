// Graph files work in commands like networks: by name, and several at once.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "experiments/bench/cases.hpp"
#include "experiments/records/records.hpp"
#include "networks/network.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"

namespace opsched::test {
namespace {

std::string out_of(const std::string& words) {
  const ProgramResult result = run_program(words);
  EXPECT_EQ(result.code, 0) << words << "\n" << result.err;
  return result.out;
}

std::string json_of(int image) { return graph_to_json(make_network("squeezenet", {.batch = 1, .image = image})); }

std::string on_profile() { return " --device sim --profile " + made_up_profile() + " --no-cache"; }

TEST(GraphFiles, FoldersAndPatternsStandForTheFilesInThem) {
  const TempDir dir;
  const std::string a = dir.write("a.json", json_of(64)), b = dir.write("b.json", json_of(96));
  dir.write("notes.txt", "no graph");
  const std::map<std::string, std::string> both = {{"a", a}, {"b", b}};
  EXPECT_EQ(bench::graph_files({dir.path()}), both);
  EXPECT_EQ(bench::graph_files({dir.file("*.json")}), both);
  EXPECT_EQ(bench::graph_files({a, dir.file("[b-z].json"), a}), both);
  const TempDir other;
  EXPECT_THROW(bench::graph_files({a, other.write("a.json", json_of(64))}), Error) << "two of one name";
  EXPECT_THROW(bench::graph_files({other.write("nasnet.json", json_of(64))}), Error) << "the name of a network";
  EXPECT_THROW(bench::graph_files({dir.file("*.onnx")}), Error);
  const std::vector<bench::Case> cases = bench::make_cases({.files = {a}, .schedulers = {"greedy"}, .images = {96}});
  ASSERT_EQ(cases.size(), 3U);  // one per precision; no built-in network is added
  EXPECT_EQ(cases[0].name(), "a/greedy/batch:1/image:96/fp32/gpus:1");
  EXPECT_EQ(graph_to_json(bench::make_graph(cases[0])), json_of(96));
}

TEST(GraphFiles, BenchRunsThemAndSaysWhichItCannotRead) {
  const TempDir dir;
  dir.write("a.json", json_of(64));
  dir.write("broken.json", "{}");
  const std::string words = "bench --network squeezenet --graph " + dir.path().string() +
                            " --precision fp32 --scheduler sequential,dataflow --out " + dir.file("out") + on_profile();
  const std::string text = out_of(words);
  EXPECT_TRUE(contains(text, "a/dataflow/batch:1/fp32/gpus:1")) << text;
  EXPECT_TRUE(contains(text, "squeezenet/dataflow")) << text;
  EXPECT_TRUE(contains(text, "broken.json")) << text;
  const records::Records records = records::Records::read(dir.file("out"));
  const records::Record* record = records.find("a/dataflow/batch:1/fp32/gpus:1");
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->what.file, dir.file("a.json"));
  // Operators have names, because the record knows where the file is.
  EXPECT_TRUE(contains(out_of("records " + dir.file("out") + " a/dataflow --schedule"), "fire5/squeeze"));
}

TEST(GraphFiles, ARecordOfAnotherFileOfThatNameIsNoAnswer) {
  const TempDir dir;
  const std::string file = dir.write("a.json", json_of(64)), out = dir.file("out");
  const std::string words = " --graph " + file + " --precision fp32 --scheduler sequential --out " + out + on_profile();
  out_of("bench" + words);
  const auto latency = [&] { return *records::Records::read(out).find("a/sequential/batch:1/fp32/gpus:1")->value; };
  const double before = latency();
  dir.write("a.json", json_of(512));
  out_of("bench" + words);
  EXPECT_GT(latency(), before);
}

TEST(GraphFiles, TakePartInPlansAndComparisons) {
  const TempDir dir;
  const std::string a = dir.write("a.json", json_of(64)), out = dir.file("out");
  const std::string plan = out_of("profile --plan --graph " + a + "," + dir.write("broken.json", "{}"));
  EXPECT_TRUE(contains(plan, "Graph files, batch 1")) << plan;
  EXPECT_FALSE(contains(plan, "Image sizes")) << plan;
  out_of("bench --graph " + a + " --precision fp32 --scheduler dataflow --out " + out + on_profile());
  for (Precision precision : kPrecisions) {  // so that the folder's device can be replayed
    const std::string name = "/profile-" + to_string(precision) + ".json";
    write_file_atomically(out + name, read_file(made_up_profile() + name));
  }
  std::filesystem::rename(a, dir.file("elsewhere.json"));
  const std::string gone = out_of("compare " + out + " " + out + " --device sim");
  EXPECT_TRUE(contains(gone, "not available")) << gone;
  std::filesystem::create_directory(dir.file("moved"));
  std::filesystem::rename(dir.file("elsewhere.json"), dir.file("moved/a.json"));
  const std::string found = out_of("compare " + out + " " + out + " --device sim --graph " + dir.file("moved"));
  EXPECT_FALSE(contains(found, "not available")) << found;
}

TEST(GraphFiles, TuneAndBenchSayWhatTheyNeed) {
  EXPECT_TRUE(contains(run_program("tune").err, "--graph"));
  EXPECT_TRUE(contains(run_program("bench --list --graph /no/such/folder").err, "/no/such/folder"));
}

}  // namespace
}  // namespace opsched::test
