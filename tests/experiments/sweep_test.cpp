// Sweeps: a sweep file gives the same cases as command lines.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "experiments/bench/sweep.hpp"
#include "experiments/records/records.hpp"
#include "networks/network.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"

namespace opsched::test {
namespace {

std::string on_profile() { return " --device sim --profile " + made_up_profile(); }

/// The output of a command.
std::string out_of(const std::string& words) {
  const ProgramResult result = run_program(words);
  EXPECT_EQ(result.code, 0) << words << "\n" << result.err;
  return result.out;
}

std::string listed(const std::string& words) { return out_of("bench --list " + words); }

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Sweep, HasTheCasesOfTheCommandLines) {
  const TempDir dir;
  const std::string graph =
      dir.write("mine.json", graph_to_json(make_network("squeezenet", {.batch = 1, .image = 64})));
  const std::string sweep = dir.write("sweep.json", R"({
    "precisions": ["fp16", "tf32"],
    "batches": [1, 4],
    "entries": [
      {"networks": ["squeezenet", "nasnet"], "schedulers": ["ios-both,r=2,s=3", "sequential"]},
      {"graphs": [")" + graph + R"("], "precisions": ["fp32"], "images": [0, 96, "64x96"]},
      {"networks": ["inception_v3"], "schedulers": ["hios-lp", "heft,split=rows"], "gpus": [2, 4], "batches": [8]},
      {}
    ]})");
  const std::string expected =
      listed("--network squeezenet,nasnet --scheduler ios-both,r=2,s=3,sequential --precision fp16,tf32 --batch 1,4") +
      listed("--graph " + graph + " --precision fp32 --batch 1,4 --image 0,96,64x96") +
      listed("--network inception_v3 --scheduler hios-lp,heft,split=rows --precision fp16,tf32 --gpus 2,4 --batch 8");
  const std::string all = listed("--sweep " + sweep);
  EXPECT_TRUE(all.starts_with(expected)) << all;
  // The last entry has only the common values; each case runs once.
  const std::vector<std::string> names = lines_of(all);
  const std::set<std::string> once(names.begin(), names.end());
  EXPECT_EQ(names.size(), once.size());
  const std::vector<std::string> each = lines_of(expected + listed("--precision fp16,tf32 --batch 1,4"));
  EXPECT_EQ(once, std::set<std::string>(each.begin(), each.end()));
  EXPECT_EQ(listed("--benchmark_filter='hios-lp.*gpus:4' --sweep " + sweep),
            "inception_v3/hios-lp/batch:8/fp16/gpus:4\ninception_v3/hios-lp/batch:8/tf32/gpus:4\n");
}

TEST(Sweep, RunsAndResumesAsTheCommandLineDoes) {
  const TempDir dir;
  const std::string sweep = dir.write("sweep.json", R"({"entries": [
    {"networks": ["squeezenet"], "schedulers": ["greedy", "wavefront"], "precisions": ["fp32"], "images": [64]}]})");
  const auto values = [&](const std::string& folder) {
    std::map<std::string, double> all;
    const records::Records records = records::Records::read(dir.file(folder));
    for (const records::Record* record : records.standing()) all[record->key()] = record->value.value_or(0);
    return all;
  };
  const std::string words = "bench --sweep " + sweep + on_profile() + " --out " + dir.file("sweep");
  const std::string out = out_of(words);
  out_of("bench --network squeezenet --scheduler greedy,wavefront --precision fp32 --image 64" + on_profile() +
         " --out " + dir.file("words"));
  EXPECT_EQ(values("sweep"), values("words"));
  EXPECT_EQ(values("sweep").size(), 3U);  // plus the sequential baselines
  EXPECT_EQ(out_of(words), out);
}

TEST(Sweep, SaysWhereItIsWrongAndWhatIsKnown) {
  const TempDir dir;
  const std::string graph = graph_to_json(make_network("squeezenet", {.batch = 1, .image = 64}));
  std::filesystem::create_directories(dir.path() / "other");
  const std::string first = dir.write("mine.json", graph), second = dir.write("other/mine.json", graph);
  struct Wrong {
    std::string text;
    std::vector<std::string> said;
  };
  const std::vector<Wrong> all = {
      {"", {"not valid JSON"}},
      {"[]", {"must be an object"}},
      {"{}", {"'entries' is missing"}},
      {R"({"entries": {}})", {"'entries'", "must be a list"}},
      {R"({"entries": []})", {"'entries'", "empty"}},
      {R"({"entries": [{}], "network": ["nasnet"]})", {"unknown key 'network'", "networks", "entries"}},
      {R"({"entries": [{}, {"entries": [{}]}]})", {"entry 2", "unknown key 'entries'", "schedulers"}},
      {R"({"entries": [{"networks": "nasnet"}]})", {"entry 1, 'networks'", "must be a list"}},
      {R"({"entries": [{"networks": []}]})", {"entry 1, 'networks'", "empty"}},
      {R"({"entries": [{"networks": ["resnet"]}]})", {"entry 1, 'networks'", "resnet", "inception_v3"}},
      {R"({"entries": [{}], "networks": ["resnet"]})", {"'networks'", "resnet", "inception_v3"}},
      {R"({"entries": [{"graphs": ["none/*.onnx"]}]})", {"entry 1, 'graphs'", "none/*.onnx"}},
      {R"({"entries": [{"graphs": [")" + std::string(300, 'a') + R"("]}]})", {"entry 1, 'graphs'", "too long"}},
      {R"({"entries": [{"graphs": ["mine.json\u0000"]}]})", {"entry 1, 'graphs'", "'mine.json': a null character"}},
      {R"({"entries": [{"schedulers": ["best"]}]})", {"entry 1, 'schedulers'", "best", "dataflow-search"}},
      {R"({"entries": [{"schedulers": ["ios-both,x=2"]}]})", {"entry 1, 'schedulers'", "no option 'x'", "r, s"}},
      {R"({"entries": [{"schedulers": ["greedy,wavefront"]}]})", {"entry 1, 'schedulers'", "one scheduler a text"}},
      {R"({"entries": [{"batches": [1, 0]}]})", {"entry 1, 'batches'", "at least 1, not 0"}},
      {R"({"entries": [{"batches": ["all"]}]})", {"entry 1, 'batches'", "integer"}},
      {R"({"entries": [{"images": [-1]}]})", {"entry 1, 'images'", "-1"}},
      {R"({"entries": [{"images": ["big"]}]})", {"entry 1, 'images'", "big"}},
      {R"({"entries": [{"precisions": ["fp8"]}]})", {"entry 1, 'precisions'", "fp8", "fp16"}},
      {R"({"entries": [{"gpus": [1.5]}]})", {"entry 1, 'gpus'", "1.5"}},
      {R"({"entries": [{"graphs": [")" + first + R"("]}, {"graphs": [")" + second + R"("]}]})",
       {"same name", "mine.json"}},
  };
  for (const auto& [text, said] : all) {
    const std::string sweep = dir.write("sweep.json", text);
    try {
      bench::sweep_cases(sweep);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& e) {
      EXPECT_TRUE(contains(e.what(), sweep)) << e.what();
      for (const std::string& word : said) EXPECT_TRUE(contains(e.what(), word)) << text << "\n" << e.what();
    }
  }
  EXPECT_THROW(bench::sweep_cases(dir.file("none.json")), Error);
}

/// "1, 2, 3, ..."
std::string numbers(int count) {
  std::string text = "1";
  for (int i = 2; i <= count; ++i) text += ", " + std::to_string(i);
  return text;
}

TEST(Sweep, ManyCasesAreListedQuicklyAndTooManyRefused) {
  const TempDir dir;
  const auto sweep = [&](int batches, int images, int gpus, const std::string& entries) {
    return dir.write("sweep.json", R"({"networks": ["squeezenet"], "precisions": ["fp32"], "schedulers": ["hios-lp"],
      "batches": [)" + numbers(batches) +
                                       R"(], "images": [)" + numbers(images) + R"(], "gpus": [)" + numbers(gpus) +
                                       R"(], "entries": [)" + entries + "]}");
  };
  EXPECT_EQ(bench::sweep_cases(sweep(1000, 50, 2, "{}")).size(), 100'000U);
  const auto expect_too_many = [](const std::string& file) {
    try {
      bench::sweep_cases(file);
      ADD_FAILURE() << "accepted";
    } catch (const Error& e) {
      EXPECT_TRUE(contains(e.what(), "more than 100000 cases")) << e.what();
      EXPECT_TRUE(contains(e.what(), "entry ")) << e.what();
    }
  };
  expect_too_many(sweep(1000, 1000, 1000, "{}"));
  expect_too_many(sweep(100, 100, 4, "{}, {}, {}"));  // repeated ones count, too
}

TEST(Sweep, TakesThePlaceOfTheOptionsThatItSays) {
  const TempDir dir;
  const std::string sweep = dir.write("sweep.json", R"({"entries": [{"networks": ["squeezenet"]}]})");
  for (const std::string option : {"--network nasnet", "--scheduler greedy", "--batch 2", "--image 64",
                                   "--precision fp16", "--gpus 2", "--graph models"}) {
    const ProgramResult result = run_program("bench --list --sweep " + sweep + " " + option);
    EXPECT_EQ(result.code, 2) << option;
    EXPECT_TRUE(contains(result.err, "leave " + option.substr(0, option.find(' ')) + " out")) << result.err;
  }
  EXPECT_EQ(run_program("bench --list --benchmark_filter=nasnet --sweep " + sweep).code, 2);
}

}  // namespace
}  // namespace opsched::test
