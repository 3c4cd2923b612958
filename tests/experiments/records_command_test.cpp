// `opsched records`: what it prints of a folder.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "core/utf8.hpp"
#include "experiments/records/record_file.hpp"
#include "tests/experiments/records_fixture.hpp"

namespace opsched::test {
namespace {

using made::gpu;
using made::latency;
using records::Record;
using records::RecordFile;

TEST_F(RecordsTest, ALongCommandIsCutInTheSummaryAndWholeBesideItsRecord) {
  // One run ended, one was interrupted and stays marked. The command is never cut inside a multi-byte character.
  for (int extra = 0; extra < 4; ++extra) {
    records::Run run = gpu();
    run.command = "opsched bench " + std::string(40 + extra, 'x');
    for (int i = 0; i < 200; ++i) run.command += "\u00e9";
    run.note = "a note";
    RecordFile(folder(), run).add(latency(1));
    const std::string summary = run_program("records " + folder()).out;
    EXPECT_NE(summary.find("...; was interrupted\n"), std::string::npos) << summary;
    EXPECT_EQ(summary.find("a note"), std::string::npos) << summary;
    EXPECT_EQ(valid_utf8(summary), summary);
    std::istringstream lines(summary.substr(summary.find("run of")));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
    EXPECT_NE(run_program("records " + folder() + " " + latency(1).key()).out.find(run.command), std::string::npos);
  }
}

TEST_F(RecordsTest, ALongCommandIsPrintedInLinesThatAShellJoins) {
  records::Run run = gpu();
  run.command = "opsched bench --graph 'two words.json'";
  for (int i = 0; i < 20; ++i) run.command += " --option" + std::to_string(i) + " value";
  run.command += " --long " + std::string(90, 'x') + " --file 'two words " + std::string(70, 'x') + "'";
  RecordFile(folder(), run).add(latency(1));
  const std::string out = run_program("records " + folder() + " " + latency(1).key()).out;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  EXPECT_NE(std::regex_replace(out, std::regex(" \\\\\n +"), " ").find(run.command), std::string::npos) << out;
}

TEST_F(RecordsTest, TheCommandSaysWhereANumberComesFrom) {
  records::Run old = gpu("8");
  old.command = "opsched bench --old";
  RecordFile(folder(), old).add(latency(2.5));
  RecordFile out(folder(), gpu());
  Record record = latency(1.25);
  record.spread = records::Spread{.min = 1, .max = 2, .runs = 30};
  out.add(record);
  out.add(latency(7, Provenance::simulated, "dataflow"));
  const auto shown = [&](const std::string& words) {
    const ProgramResult result = run_program("records " + folder() + " " + words);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  };
  const auto contains = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  const std::string summary = shown("");
  EXPECT_TRUE(contains(summary, "2 records, and 1 older") && contains(summary, "opsched bench --old") &&
              contains(summary, "kernels 9") && contains(summary, "was interrupted"))
      << summary;
  const std::string one = shown(record.key());
  EXPECT_TRUE(contains(one, "1.25 ms, measured; 30 samples, 1 to 2") && contains(one, "kernels 9") &&
              contains(one, gpu().command) && !contains(one, "2.5"))
      << one;
  EXPECT_TRUE(contains(shown("ios-both --history"), "2.5 ms"));
  const std::string simulated = shown("simulated");
  EXPECT_TRUE(contains(simulated, "dataflow") && !contains(simulated, "ios-both")) << simulated;
  EXPECT_EQ(run_program("records " + folder() + " nonesuch").code, 2);
  EXPECT_EQ(run_program("records " + dir_.file("none")).code, 2);
}

}  // namespace
}  // namespace opsched::test
