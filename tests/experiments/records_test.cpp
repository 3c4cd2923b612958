// Records: written records are read back, the strongest one is valid, and killing the writer loses nothing.
#include "experiments/records/records.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <random>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/records/record_file.hpp"
#include "tests/experiments/program.hpp"
#include "tests/experiments/records_fixture.hpp"

namespace opsched::test {
namespace {

using made::gpu;
using made::latency;
using records::Case;
using records::Record;
using records::RecordFile;
using records::Records;
using records::Run;

/// A record with all or some of its fields set at random.
Record drawn(std::mt19937_64& random) {
  const auto some = [&](int of) { return static_cast<int>(random() % static_cast<unsigned>(of)); };
  const auto number = [&] { return static_cast<double>(random() >> 11) * 0x1p-40; };
  Record r;
  r.what = {.network = "net" + std::to_string(some(3)), .scheduler = "s\"ä," + std::to_string(some(3))};
  r.what.batch = 1 + some(3);
  r.what.image = some(3) == 0 ? ImageSize(480, 640) : ImageSize(512 * some(2));
  r.what.gpus = 1 + some(2);
  r.what.precision = some(2) == 0 ? Precision::fp32 : Precision::fp16;
  if (some(2) == 0) r.what.options = {{"r", "1"}, {"s", "8"}};
  if (some(3) == 0) r.what.software = "pytorch";
  if (some(2) == 0) r.quantity = "makespan";
  if (some(2) == 0) r.labels = {{"study", "pruning"}, {"variant", "r=1 s=3"}};
  r.value = number();
  r.unit = some(2) == 0 ? "ms" : "";
  if (some(2) == 0)
    r.spread = records::Spread{
        .p90 = number(), .p99 = number(), .min = number(), .max = number(), .stddev = 0, .mad_ratio = 0.1, .runs = 30};
  if (some(2) == 0) r.numbers = {{"stages", 3}, {"bound_ms", number()}};
  if (some(2) == 0) r.texts = {{"method", "line\nbreak"}};
  if (some(2) == 0) r.series = {{"at_ms", {1, 2, number()}}, {"active_warps", {0, number(), 0}}};
  if (some(2) == 0) r.graph = "0123456789abcdef";
  if (some(2) == 0) r.clocks = {.sm_mhz = 1980, .memory_mhz = 3201, .throttled = some(2) == 0};
  r.provenance = Provenance::measured;
  r.time = "2026-11-28T00:10:13Z";
  return r;
}

TEST_F(RecordsTest, AreReadAsTheyWereWritten) {
  std::mt19937_64 random(1);
  std::vector<Record> written;
  {
    RecordFile out(folder(), gpu());
    for (int i = 0; i < 200; ++i) {
      Record record = drawn(random);
      ASSERT_TRUE(out.add(record));
      record.run = out.run().id;
      written.push_back(std::move(record));
    }
    out.finish();
  }
  const Records read = Records::read(folder());
  EXPECT_TRUE(read.warnings().empty()) << read.warnings().front();
  EXPECT_EQ(read.all(), written);
  ASSERT_EQ(read.runs().size(), 1U);
  EXPECT_TRUE(read.runs().begin()->second.same_work(gpu()));
  EXPECT_TRUE(read.ended(read.runs().begin()->first));
}

TEST_F(RecordsTest, NamesOfCasesAreReadBack) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100; ++i) {
    Case what = drawn(random).what;
    what.scheduler = "ios-both";
    EXPECT_EQ(records::parse_case(what.name()), what) << what.name();
  }
  for (const char* text : {"", "nasnet", "nasnet/dataflow/batch:1", "nasnet/dataflow/batch:one/fp32/gpus:1",
                           "nasnet/dataflow/batch:1/fp64/gpus:1"})
    EXPECT_FALSE(records::parse_case(text)) << text;
}

TEST_F(RecordsTest, AWeakerNumberNeverReplacesAStrongerOne) {
  using enum Provenance;
  RecordFile out(folder(), gpu());
  EXPECT_TRUE(out.add(latency(3, simulated)));
  EXPECT_TRUE(out.add(latency(2, recorded)));
  EXPECT_FALSE(out.add(latency(3, simulated)));
  EXPECT_TRUE(out.add(latency(1, measured)));
  EXPECT_FALSE(out.add(latency(3, simulated)));
  EXPECT_FALSE(out.add(latency(2, recorded)));
  EXPECT_FALSE(out.add(latency(9, synthetic)));
  Record failed = latency(0);
  failed.value.reset();
  failed.missing = "out of memory";
  EXPECT_FALSE(out.add(failed));
  EXPECT_EQ(out.records().find(latency(0).what)->value, 1.0);
  EXPECT_TRUE(out.add(latency(1.5, measured)));
  EXPECT_EQ(Records::read(folder()).find(latency(0).what)->value, 1.5);
  // Unless its replacement was requested.
  Record asked = latency(4, simulated);
  asked.replaces = true;
  EXPECT_TRUE(out.add(asked));
  EXPECT_EQ(Records::read(folder()).find(latency(0).what)->value, 4.0);
}

TEST_F(RecordsTest, ASimulatedLineAmongMeasuredOnesDoesNotStand) {
  {
    RecordFile out(folder(), gpu());
    out.add(latency(1));
  }
  // Appended to the file without the writer.
  Record planted = latency(0.5, Provenance::simulated);
  planted.run = "0123456789abcdef";
  planted.time = "2026-11-28T00:10:13Z";
  write_file_atomically(file(), text() + to_line(planted) + "\n");
  const Records read = Records::read(folder());
  EXPECT_EQ(read.all().size(), 2U);
  EXPECT_EQ(read.find(planted.what)->value, 1.0);
}

TEST_F(RecordsTest, OlderKernelsAreSeen) {
  RecordFile(folder(), gpu("8")).add(latency(2));
  RecordFile out(folder(), gpu("9"));
  EXPECT_EQ(out.of_other_versions(), 1);
  out.add(latency(1, Provenance::measured, "sequential"));
  EXPECT_EQ(out.of_other_versions(), 1);
  const Records& records = out.records();
  const records::Run &old = records.run_of(*records.find(latency(0).what)),
                     &now = records.run_of(*records.find(latency(0, Provenance::measured, "sequential").what));
  EXPECT_FALSE(comparable(old, now));
  EXPECT_TRUE(comparable(now, now));
  out.add(latency(1.9));
  EXPECT_EQ(out.of_other_versions(), 0);
}

TEST(Comparable, OtherSoftwareHasNoKernelsOfOurs) {
  const auto run = [](const std::string& device, const std::string& kernels) {
    records::Run made;
    made.device = device;
    made.kernels = kernels;
    return made;
  };
  const records::Run ours = run("NVIDIA H200", "9"), torch = run("NVIDIA H200", ""), older = run("NVIDIA H200", "8");
  EXPECT_TRUE(comparable(ours, torch) && comparable(torch, ours) && comparable(torch, torch));
  EXPECT_FALSE(comparable(ours, older) || comparable(older, ours));
  EXPECT_FALSE(comparable(run("NVIDIA A100", ""), ours) || comparable(ours, run("NVIDIA A100", "")));
  EXPECT_TRUE(comparable(ours, run("", "")) && comparable(run("", "8"), ours));
}

TEST_F(RecordsTest, ACutLineIsLeftOutAndTheRunGoesOn) {
  std::string run;
  {
    RecordFile out(folder(), gpu());
    out.add(latency(1));
    out.add(latency(2, Provenance::measured, "sequential"));
    run = out.run().id;
  }
  const std::string whole = text();
  for (std::size_t cut = 1; cut < 60; cut += 7) {
    write_file_atomically(file(), whole.substr(0, whole.size() - cut));
    if (cut > 1) {
      const Records read = Records::read(folder());
      ASSERT_EQ(read.warnings().size(), 1U);
      EXPECT_NE(read.warnings().front().find("records.jsonl:4"), std::string::npos) << read.warnings().front();
    }
    RecordFile again(folder(), gpu());
    EXPECT_EQ(again.run().id, run);
    EXPECT_NE(again.made(latency(1).key()), nullptr);
    again.add(latency(2, Provenance::measured, "sequential"));
    const Records read = Records::read(folder());
    EXPECT_TRUE(read.warnings().empty()) << cut << ": " << read.warnings().front();
    EXPECT_EQ(read.standing().size(), 2U);
  }
}

TEST_F(RecordsTest, NothingIsLostToKill) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    RecordFile out(folder(), gpu());
    for (int i = 0;; ++i) {
      Record record = latency(i);
      record.labels = {{"number", std::to_string(i)}};
      out.add(record);
      if (write(ready[1], "x", 1) != 1) _exit(1);
    }
  }
  close(ready[1]);
  char done = 0;
  int added = 0;
  while (added < 50 && read(ready[0], &done, 1) == 1) ++added;
  kill(child, SIGKILL);
  while (read(ready[0], &done, 1) == 1) ++added;
  close(ready[0]);
  int status = 0;
  waitpid(child, &status, 0);
  RecordFile again(folder(), gpu());
  EXPECT_GE(again.resumed(), added);
  EXPECT_LE(again.resumed(), added + 1);
}

TEST_F(RecordsTest, OnlyTheSameUnfinishedWorkGoesOn) {
  {
    RecordFile out(folder(), gpu());
    out.add(latency(1));
  }
  EXPECT_EQ(RecordFile(folder(), gpu()).resumed(), 1);
  EXPECT_EQ(RecordFile(folder(), gpu(), RecordFile::Start::anew).resumed(), 0);
  EXPECT_EQ(RecordFile(folder(), gpu("10")).resumed(), 0);
  records::Run other = gpu();
  other.command += " --batch 16";
  EXPECT_EQ(RecordFile(folder(), other).resumed(), 0);
  const std::string before = text();
  RecordFile(folder(), other).finish();  // it made nothing, so nothing is written
  EXPECT_EQ(text(), before);
  RecordFile(folder(), gpu()).finish();
  EXPECT_EQ(RecordFile(folder(), gpu()).resumed(), 0);
}

TEST_F(RecordsTest, WhatSaysTheSameIsNotWrittenAgain) {
  RecordFile out(folder(), gpu());
  EXPECT_TRUE(out.add(latency(1, Provenance::simulated)));
  EXPECT_FALSE(out.add(latency(1, Provenance::simulated)));
  EXPECT_TRUE(out.add(latency(1.1, Provenance::simulated)));
  EXPECT_TRUE(out.add(latency(1)));
  EXPECT_TRUE(out.add(latency(1))) << "a measurement is one even if it gives the same";
}

TEST_F(RecordsTest, AnotherDeviceIsRefused) {
  RecordFile(folder(), gpu()).add(latency(1));
  try {
    RecordFile(folder(), gpu("9", "NVIDIA A100"));
    FAIL() << "measurements of two devices in one folder";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("NVIDIA A100"), std::string::npos) << e.what();
  }
  EXPECT_NO_THROW(RecordFile(folder(), {.command = "opsched simulate"}));
}

TEST_F(RecordsTest, OneProcessWritesAtATime) {
  const RecordFile out(folder(), gpu());
  EXPECT_THROW(RecordFile(folder(), gpu()), Error);
}

TEST_F(RecordsTest, WhatIsNotUnderstoodIsSaid) {
  const std::string record = to_line(latency(1)), first = records::first_line();
  const auto warnings = [&](const std::string& line) {
    dir_.write("records.jsonl", first + "\n" + line + "\n" + record + "\n");
    const Records read = Records::read(dir_.path().string());
    EXPECT_EQ(read.all().size(), 1U) << line;
    return read.warnings().empty() ? std::string() : read.warnings().front();
  };
  EXPECT_NE(warnings(R"({"record": {"network": "a", "valeu": 1, "provenance": "measured"}})").find("valeu"),
            std::string::npos);
  EXPECT_NE(warnings(R"({"note": {}})").find("'note'"), std::string::npos);
  EXPECT_NE(warnings(R"({"record": {"network": "a", "provenance": "measured"}})").find("without value"),
            std::string::npos);
  EXPECT_NE(warnings(R"({"record": {"network": "a", "value": 1, "provenance": "guessed"}})").find("guessed"),
            std::string::npos);
  EXPECT_NE(warnings("no JSON"), "");
  for (const char* other : {"{}", "no JSON", R"({"format": "opsched records", "version": 99})"}) {
    dir_.write("records.jsonl", std::string(other) + "\n" + record + "\n");
    EXPECT_THROW(Records::read(dir_.path().string()), Error) << other;
    EXPECT_THROW(RecordFile(dir_.path().string(), gpu()), Error) << other;
  }
  EXPECT_THROW(to_line(latency(std::numeric_limits<double>::quiet_NaN())), Error);
}

TEST_F(RecordsTest, SchedulesAndKernelsAreKeptOnce) {
  Schedule schedule;
  schedule.devices = {{.stages = {{.strategy = Strategy::concurrent, .groups = {{1}, {2}}}}}};
  RecordFile out(folder(), gpu());
  Record record = latency(1);
  record.graph = "0123456789abcdef";
  record.schedule = "fedcba9876543210";
  out.add(record, schedule, {{"conv", "winograd"}});
  record.value = 1.1;
  out.add(record, schedule, {{"conv", "winograd"}});
  const Records read = Records::read(folder());
  const std::string all = text();
  EXPECT_EQ(all.find("{\"schedule\""), all.rfind("{\"schedule\""));
  EXPECT_EQ(all.find("{\"kernels\""), all.rfind("{\"kernels\""));
  ASSERT_NE(read.schedule("fedcba9876543210"), nullptr);
  const records::KernelChoices* kernels = read.kernels(read.find(record.what)->kernels);
  ASSERT_NE(kernels, nullptr);
  EXPECT_EQ(kernels->at("conv"), "winograd");
}

TEST_F(RecordsTest, CopiesTakeTheirSchedulesWithThem) {
  const std::string from = dir_.file("from"), to = dir_.file("to");
  std::filesystem::copy(made_up_profile(), from);
  const std::string replay =
      "bench --device sim --network squeezenet --scheduler sequential,dataflow --profile " + from;
  ASSERT_EQ(run_program(replay + " --out " + from).code, 0);
  ASSERT_EQ(run_program(replay + " --out " + to).code, 0);
  const Records first = Records::read(from), second = Records::read(to);
  ASSERT_EQ(second.standing().size(), 6U);  // two schedules in three precisions
  for (const Record* record : second.standing()) {
    ASSERT_NE(second.schedule(record->schedule), nullptr) << record->key();
    EXPECT_EQ(second.schedule(record->schedule)->text, first.schedule(record->schedule)->text);
  }
}

TEST_F(RecordsTest, CopiesTakeTheirKernelsWithThem) {
  Schedule schedule;
  schedule.devices = {{.stages = {{.strategy = Strategy::concurrent, .groups = {{1}, {2}}}}}};
  Record record = latency(1);
  record.schedule = "fedcba9876543210";
  RecordFile from(dir_.file("from"), gpu()), to(dir_.file("to"), gpu());
  from.add(record, schedule, {{"conv", "winograd"}});
  const Record& kept = *from.records().standing().front();
  EXPECT_TRUE(to.add(kept, from.records()));
  const Records copy = Records::read(dir_.file("to"));
  ASSERT_NE(copy.kernels(kept.kernels), nullptr);
  EXPECT_EQ(copy.kernels(kept.kernels)->at("conv"), "winograd");
  EXPECT_NE(copy.schedule(kept.schedule), nullptr);
}

}  // namespace
}  // namespace opsched::test
