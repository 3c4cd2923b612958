// --measure: records of protocols, and how commands report them.
#include "experiments/bench/protocols.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "experiments/records/records.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

using test::contains;
using test::run_program;

class ProtocolRecords : public testing::Test {
 protected:
  const Graph graph_ = test::RandomCnn(3).draw(2);
  const Schedule schedule_ = test::random_schedule(graph_, 1, Mode::dataflow, 5);
  const std::unique_ptr<Executor> executor_ = make_cpu_executor(graph_, schedule_, 1);
  records::Record by(const std::string& name) {
    return bench::measure_by(parse_protocol(name), {.network = "r", .scheduler = "s", .batch = 4}, *executor_);
  }
};

TEST_F(ProtocolRecords, HoldTheSpreadAndTheRate) {
  const records::Record record = by("in-flight=2");
  EXPECT_EQ(record.key(), "r/s/batch:4/fp32/gpus:1#protocol{in_flight=2,protocol=in-flight}");
  EXPECT_EQ(record.unit, "ms");
  EXPECT_DOUBLE_EQ(record.number("images_per_second"), 4000 / *record.value);
  EXPECT_LE(*record.value, record.spread->p90);
  EXPECT_LE(record.spread->p99, record.spread->max);
  EXPECT_EQ(record.spread->runs, 20);
  EXPECT_EQ(std::get<records::Record>(records::read_line(records::to_line(record))), record);
  EXPECT_TRUE(contains(bench::protocol_text(record), "worst")) << bench::protocol_text(record);
}

TEST_F(ProtocolRecords, SayWhyThereIsNoValue) {
  const records::Record record = by("energy");
  EXPECT_FALSE(record.value);
  EXPECT_TRUE(contains(record.missing, "NVML")) << record.missing;
  EXPECT_TRUE(contains(bench::protocol_text(record), "cannot: ")) << bench::protocol_text(record);
}

TEST(MeasureOption, RunTimesTheCpuWhereItIsAskedFor) {
  const test::TempDir dir;
  const std::string schedule = dir.file("s.json");
  ASSERT_EQ(run_program("schedule squeezenet --image 32 --scheduler wavefront --device sim --profile " +
                        test::made_up_profile() + " -o " + schedule)
                .code,
            0);
  const std::string run = "run squeezenet --image 32 --device cpu --no-check --schedule " + schedule;
  const test::ProgramResult result = run_program(run + " --measure lone,in-flight=2,energy");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, " images per second,")) << result.out;
  EXPECT_TRUE(contains(result.out, "in-flight=2  p50")) << result.out;
  EXPECT_TRUE(contains(result.out, "cannot: 'energy' is read from NVML")) << result.out;
  const test::ProgramResult wrong = run_program(run + " --measure lone,cool");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "unknown protocol 'cool' to measure by; known: burst, replays, lone")) << wrong.err;
  EXPECT_TRUE(contains(run_program(run + " --measure lone,lone").err, "given twice"));
}

TEST(MeasureOption, BenchRecordsWhatARecordingCannotTell) {
  const test::TempDir dir;
  const test::ProgramResult result = run_program(
      "bench --network squeezenet --scheduler sequential --precision fp32 --measure lone,burst --device sim "
      "--profile " +
      test::made_up_profile() + " --out " + dir.file("r"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "lone: cannot: 'lone' needs a device that runs the schedule")) << result.out;
  const records::Records records = records::Records::read(dir.file("r"));
  const records::Record* lone = records.find("squeezenet/sequential/batch:1/fp32/gpus:1#protocol{protocol=lone}");
  ASSERT_NE(lone, nullptr);
  EXPECT_FALSE(lone->value);
  EXPECT_FALSE(lone->schedule.empty());
  EXPECT_EQ(run_program("bench --measure lone --share-cases").code, 2);
}

TEST(MeasureOption, BenchSaysOnceWhatTheDeviceCannotDo) {
  const test::TempDir dir;
  const test::ProgramResult result = run_program(
      "bench --network squeezenet --scheduler sequential,wavefront,greedy --precision fp32,fp16 --measure lone,cold "
      "--device sim --profile " +
      test::made_up_profile() + " --out " + dir.file("r"));
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* refusal : {"lone: cannot: 'lone' needs", "cold: cannot: 'cold' needs"}) {
    const std::size_t first = result.out.find(refusal);
    ASSERT_NE(first, std::string::npos) << result.out;
    EXPECT_EQ(result.out.find(refusal, first + 1), std::string::npos) << result.out;
  }
  int refused = 0;  // each case has a record of it
  for (const records::Record* record : records::Records::read(dir.file("r")).standing())
    refused += record->quantity == "protocol" && !record->missing.empty();
  EXPECT_EQ(refused, 12);
}

}  // namespace
}  // namespace opsched
