// opsched reproduce, replaying a synthetic device.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/files.hpp"
#include "experiments/records/record_file.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/true_device.hpp"

namespace opsched::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using records::Record;
using records::RecordFile;
using records::Records;

const std::string kAnalysis = std::string(OPSCHED_TEST_DATA) + "/../../analysis/opsched";

/// The line that begins with this word.
std::string line_of(const std::string& text, const std::string& word) {
  const std::size_t begin = text.find("\n" + word + " ");
  return begin == std::string::npos ? "" : text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
}

/// A results folder of the synthetic device, and one for two of its GPUs.
class Figures : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c '' 2>/dev/null") != 0) GTEST_SKIP() << "no python3, which writes the pages";
    fs::create_directories(results_);
    fs::copy(made_up_profile(), results_);
  }

  ProgramResult reproduce(const std::string& args) const {
    return run_program("reproduce --device sim --profile " + results_ + " --no-pictures " + args);
  }
  Records records() const { return Records::read(results_); }
  std::string text() const { return read_file(records::records_file(results_)); }

  /// A figure as listed in the index.
  json index(const std::string& figure) const {
    const json index = json::parse(read_file(results_ + "/figures/index.json"));
    EXPECT_EQ(index.at("format"), "opsched figures");
    for (const json& entry : index.at("figures"))
      if (entry.at("name") == figure) return entry;
    ADD_FAILURE() << figure << " is not in the index";
    return {};
  }
  static std::set<std::string> keys(const json& entry) {
    std::set<std::string> keys;
    for (const json& record : entry.at("records")) keys.insert(record.at("key").get<std::string>());
    return keys;
  }
  static std::string why(const json& entry, const std::string& key) {
    for (const json& gap : entry.at("missing"))
      if (gap.value("key", gap.value("what", "")) == key) return gap.at("why");
    return "";
  }

  /// A run that measured on the synthetic device.
  static records::Run gpu() {
    records::Run run;
    run.device = TrueDevice::facts().name;
    run.kernels = "9";
    run.command = "opsched bench";
    return run;
  }
  static Record latency(const std::string& network, const std::string& scheduler, double ms, int batch = 1) {
    return {.what = {.network = network, .scheduler = scheduler, .batch = batch}, .value = ms, .unit = "ms"};
  }

  TempDir dir_;
  std::string results_ = dir_.file("device");
};

/// The first word of each line of --list below the rule.
std::vector<std::string> figure_names() {
  std::istringstream lines(run_program("reproduce --list --device sim --profile " + made_up_profile()).out);
  std::vector<std::string> names;
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("---")) {
  }
  while (std::getline(lines, line))
    if (!line.starts_with(' ')) names.push_back(line.substr(0, line.find(' ')));  // other lines continue a title
  return names;
}

TEST_F(Figures, AreListedWithWhereTheyStand) {
  const ProgramResult before = reproduce("--list");
  ASSERT_EQ(before.code, 0) << before.err;
  EXPECT_TRUE(contains(before.out, "not made")) << before.out;
  EXPECT_FALSE(fs::exists(results_ + "/figures"));
  EXPECT_FALSE(fs::exists(records::records_file(results_)));
  ASSERT_EQ(reproduce("last_block").code, 0);
  const std::string after = reproduce("--list").out;
  EXPECT_EQ(line_of(after, "last_block").find("not made"), std::string::npos) << after;
  EXPECT_TRUE(contains(line_of(after, "last_block"), "replayed")) << after;
}

TEST_F(Figures, EachHasADrawing) {
  const std::vector<std::string> names = figure_names();
  EXPECT_GE(names.size(), 22U);
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names)
    EXPECT_TRUE(fs::exists(kAnalysis + "/plots/" + (name.starts_with("sim_") ? "simulations" : name) + ".py")) << name;
}

TEST_F(Figures, AnUnknownOneIsAnErrorThatListsTheKnown) {
  const ProgramResult result = reproduce("last_block nonesuch");
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(contains(result.err, "'nonesuch'") && contains(result.err, "last_block")) << result.err;
  EXPECT_FALSE(fs::exists(results_ + "/figures"));
}

TEST_F(Figures, AreSelectionsOfRecordsThatSayWhereTheyComeFrom) {
  const ProgramResult result = reproduce("last_block");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("replayed from ")) << result.out;
  const json entry = index("last_block");
  EXPECT_TRUE(entry.at("missing").empty()) << entry;
  const Records records = this->records();
  std::map<std::string, std::set<std::string>> schedules;  // by batch: all operators are from one schedule
  int operators = 0;
  for (const std::string& key : keys(entry)) {
    const Record* record = records.find(key);
    ASSERT_NE(record, nullptr) << key;
    EXPECT_TRUE(record->provenance == Provenance::simulated || record->provenance == Provenance::recorded);
    EXPECT_TRUE(contains(records.run_of(*record).command, "opsched reproduce"));
    EXPECT_NE(records.schedule(record->schedule), nullptr);
    schedules[std::to_string(record->what.batch)].insert(record->schedule);
    operators += record->quantity == "operator_slot";
  }
  EXPECT_EQ(operators, 2 * 11);
  for (const auto& [batch, used] : schedules) EXPECT_EQ(used.size(), 1U) << batch;
}

TEST_F(Figures, NothingChangesWhereNothingIsMissing) {
  ASSERT_EQ(reproduce("last_block search_space blocks").code, 0);
  const std::string index = read_file(results_ + "/figures/index.json"), records = text();
  const auto time = fs::last_write_time(results_ + "/figures/index.json");
  ASSERT_EQ(reproduce("last_block search_space blocks").code, 0);
  ASSERT_EQ(reproduce("search_space").code, 0);
  EXPECT_EQ(text(), records);
  EXPECT_EQ(read_file(results_ + "/figures/index.json"), index);
  EXPECT_EQ(fs::last_write_time(results_ + "/figures/index.json"), time);
}

TEST_F(Figures, AReplayNeverTakesTheMeasurementsPlace) {
  RecordFile(results_, gpu()).add(latency("inception_v3", "sequential", 4321, 16));
  for (const char* more : {"", " --fresh"}) {
    const ProgramResult made = reproduce(std::string("batches") + more);
    ASSERT_EQ(made.code, 0) << made.err;
    const Records records = this->records();
    const Record* record = records.find(latency("inception_v3", "sequential", 0, 16).what);
    EXPECT_EQ(*record->value, 4321);
    EXPECT_EQ(record->provenance, Provenance::measured);
    EXPECT_TRUE(keys(index("batches")).contains(record->key()));
    EXPECT_EQ(records.find(latency("inception_v3", "sequential", 0, 32).what)->provenance, Provenance::simulated);
  }
}

TEST_F(Figures, WhatWasNotPossibleOnTheGpuIsNotReplayed) {
  Record failed = latency("inception_v3", "ios-both", 0, 128);
  failed.value.reset();
  failed.missing = "out of memory";
  RecordFile(results_, gpu()).add(failed);
  ASSERT_EQ(reproduce("batches").code, 0);
  EXPECT_EQ(why(index("batches"), failed.key()), "out of memory");
}

TEST_F(Figures, GainsCompareWhatRanTogether) {
  const std::string two = dir_.file("device-x2");
  {
    RecordFile out(two, gpu());
    out.add(latency("inception_v3", "sequential", 100));
    Record record = latency("inception_v3", "hios-mr", 40);
    record.what.gpus = 2;
    out.add(record);
  }
  RecordFile(results_, gpu()).add(latency("inception_v3", "sequential", 90));
  const ProgramResult made = reproduce("image_gain");
  ASSERT_EQ(made.code, 0) << made.err;
  std::set<std::string> there;
  const json entry = index("image_gain");
  for (const json& record : entry.at("records"))
    there.insert(record.at("key").get<std::string>() + " " + record.value("folder", "") + " " +
                 record.value("labels", json::object()).value("run", ""));
  EXPECT_TRUE(there.contains("inception_v3/sequential/batch:1/fp32/gpus:1  "));
  EXPECT_TRUE(there.contains("inception_v3/sequential/batch:1/fp32/gpus:1 device-x2 2"));
  EXPECT_TRUE(there.contains("inception_v3/hios-mr/batch:1/fp32/gpus:2 device-x2 "));
}

TEST_F(Figures, OtherSoftwareThatCannotRunIsAbsentWithTheReason) {
  Record eager = latency("inception_v3", "eager", 7.25), compiled = latency("inception_v3", "compile", 0);
  eager.what.software = compiled.what.software = "pytorch";
  compiled.value.reset();
  compiled.missing = "its output is wrong";
  {
    RecordFile out(results_, gpu());
    out.add(eager);
    out.add(compiled);
  }
  ASSERT_EQ(reproduce("batches").code, 0);
  const json entry = index("batches");
  EXPECT_TRUE(keys(entry).contains(eager.key()));
  EXPECT_EQ(why(entry, compiled.key()), "its output is wrong");
  EXPECT_TRUE(contains(why(entry, "other software on inception_v3 at batch 16 in fp32"), "run_baselines"));
}

TEST_F(Figures, ThePapersRandWireIsNeverReplayed) {
  ASSERT_EQ(reproduce("intra_inter").code, 0);
  const json entry = index("intra_inter");
  const std::string key = Record{.what = {.network = "randwire-paper", .scheduler = "ios-both"}}.key();
  EXPECT_FALSE(keys(entry).contains(key));
  EXPECT_NE(why(entry, key), "");
}

TEST_F(Figures, AnIndexOfAnotherVersionIsAnError) {
  fs::create_directories(results_ + "/figures");
  for (const std::string text : {R"({"format": "opsched figures", "version": 99})", "{}", "damaged"}) {
    write_file_atomically(results_ + "/figures/index.json", text);
    const ProgramResult result = reproduce("last_block");
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(contains(result.err, "index.json")) << result.err;
    EXPECT_EQ(read_file(results_ + "/figures/index.json"), text);
  }
}

/// All of one folder, of whatever kernels, and nothing of others.
TEST_F(Figures, SplitSizesReadsTheFolderOfTwoGpus) {
  ASSERT_EQ(reproduce("split_sizes").code, 0);
  EXPECT_TRUE(contains(why(index("split_sizes"), "latencies of split schedules in device-x2"), "not measured yet"));
  const auto measured = [&](const std::string& folder, const std::string& kernels, int image) {
    records::Run run = gpu();
    run.kernels = kernels;
    for (const char* scheduler : {"sequential", "split"}) {
      Record record = latency("inception_v3", scheduler, 5);
      record.what.image = image;
      record.what.gpus = std::string(scheduler) == "split" ? 2 : 1;
      RecordFile(dir_.file(folder), run).add(record);
    }
  };
  measured("device-x2", "12", 2048);
  measured("device-x2", "18", 512);
  measured("device-x2-other", "18", 2048);
  measured("device-x2-sockets", "13", 1024);
  ASSERT_EQ(reproduce("split_sizes").code, 0);
  const json entry = index("split_sizes");
  for (const json& record : entry.at("records")) EXPECT_EQ(record.at("folder"), "device-x2");
  EXPECT_EQ(entry.at("records").size(), 4U);
  EXPECT_TRUE(entry.at("missing").empty());
}

TEST_F(Figures, AnInterruptedRunGoesOn) {
  const std::string file = records::records_file(results_);
  const std::string wait = " & pid=$!; while ! grep -q '\"record\"' '" + file +
                           "' 2>/dev/null; do sleep 0.01; done; kill -KILL $pid; wait $pid";
  EXPECT_NE(reproduce("batches --no-cache" + wait).code, 0);
  EXPECT_FALSE(fs::exists(results_ + "/figures/index.json"));
  ASSERT_FALSE(records().standing().empty());
  const std::string first = records().standing().front()->time;
  const ProgramResult resumed = reproduce("batches --no-cache");
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(contains(resumed.err, "continuing")) << resumed.err;
  EXPECT_EQ(records().runs().size(), 1U);
  EXPECT_EQ(records().standing().front()->time, first);
}

}  // namespace
}  // namespace opsched::test
