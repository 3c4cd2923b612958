// HIOS's simulations with the program: DAG files and studies.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/files.hpp"
#include "experiments/records/records.hpp"
#include "networks/dag_file.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::test {
namespace {

using Json = nlohmann::json;

/// Makespan of the printed schedule, computed from the DAG by HIOS's rules.
double replay(const WeightedDag& dag, const Json& devices) {
  struct At {
    int device, stage;
  };
  std::vector<At> at(dag.size(), At{-1, -1});
  for (int d = 0; d < static_cast<int>(devices.size()); ++d)
    for (int s = 0; s < static_cast<int>(devices[d]["stages"].size()); ++s)
      for (const Json& group : devices[d]["stages"][s])
        for (int op : group) {
          EXPECT_EQ(at[op].device, -1) << op << " runs twice";
          at[op] = {d, s};
        }
  std::vector<std::vector<double>> end(devices.size());
  for (std::size_t d = 0; d < devices.size(); ++d) end[d].assign(devices[d]["stages"].size(), 0.0);
  // Every round delays stages until what they wait for has ended. More rounds than stages would mean a cycle.
  double makespan = 0;
  bool changed = true;
  for (int round = 0; changed; ++round) {
    EXPECT_LE(round, dag.size() + 1) << "stages wait for each other";
    if (round > dag.size() + 1) return -1;
    changed = false;
    for (int d = 0; d < static_cast<int>(devices.size()); ++d)
      for (int s = 0; s < static_cast<int>(end[d].size()); ++s) {
        double start = s == 0 ? 0 : end[d][s - 1], work = 0, busy = 0, longest = 0;
        for (const Json& group : devices[d]["stages"][s]) {
          double length = 0;
          for (int op : group) {
            length += dag.ms[op];
            busy += dag.ms[op] * dag.utilisation[op];
          }
          work += length;
          longest = std::max(longest, length);
        }
        for (const auto& edge : dag.edges) {
          const At from = at[edge.from], to = at[edge.to];
          if (to.device != d || to.stage != s || (from.device == d && from.stage == s)) continue;
          start = std::max(start, end[from.device][from.stage] + (from.device == d ? 0 : edge.ms));
        }
        const double ends = start + 0.5 * work + 0.5 * std::max(busy, longest);
        changed = changed || ends > end[d][s] + 1e-9;
        end[d][s] = std::max(end[d][s], ends);
        makespan = std::max(makespan, ends);
      }
  }
  return makespan;
}

TEST(Simulation, DagFilesAreScheduledByNumber) {
  const TempDir dir;
  const WeightedDag dag = random_dag({.operators = 60, .layers = 8, .dependencies = 120, .seed = 3});
  write_dag(dir.file("dag.txt"), dag);
  for (const std::string scheduler :
       {"hios-lp --window 3", "hios-mr", "hios-lp-inter", "hios-mr-inter", "heft", "reinsert --window 2"}) {
    SCOPED_TRACE(scheduler);
    const ProgramResult result =
        run_program("schedule --dag " + dir.file("dag.txt") + " --gpus 3 --format json --scheduler " + scheduler);
    ASSERT_EQ(result.code, 0) << result.err;
    const Json json = Json::parse(result.out);
    EXPECT_EQ(json["devices"].size(), 3u);
    EXPECT_NEAR(json["makespan"].get<double>(), replay(dag, json["devices"]), 1e-9);
    EXPECT_GE(json["makespan"].get<double>(), json["lower_bound"].get<double>());
    EXPECT_GT(json["lower_bound"].get<double>(), 0);
    EXPECT_GE(json["seconds"].get<double>(), 0);
    std::set<int> operators;
    for (const Json& device : json["devices"])
      for (const Json& stage : device["stages"])
        for (const Json& group : stage)
          for (int op : group) operators.insert(op);
    EXPECT_EQ(operators.size(), 60u);
  }
}

TEST(Simulation, BadDagFilesAndWindowsAreRefused) {
  const TempDir dir;
  const auto refused = [](const std::string& args, const std::string& word) {
    const ProgramResult result = run_program("schedule --gpus 2 --format json " + args);
    EXPECT_EQ(result.code, 2) << args;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
  };
  const std::string good = dir.write("good.txt", "2\n0 1 0.5\n1 1 0.5\n1\n0 1 0.5\n");
  refused("--scheduler hios-lp --dag " + dir.write("loop.txt", "2\n0 1 1\n1 1 1\n2\n0 1 0\n1 0 0\n"),
          "loop.txt:6: this edge closes a cycle");
  refused("--scheduler hios-mr --dag " + dir.write("negative.txt", "1\n0 -1 1\n0\n"), "negative.txt:2:");
  refused("--scheduler heft --dag " + dir.write("twice.txt", "2\n0 1 1\n0 1 1\n0\n"), "twice.txt:3:");
  refused("--scheduler hios-lp --dag " + dir.write("short.txt", "2\n0 1 1\n"), "short.txt:3:");
  refused("--scheduler hios-lp --dag " + dir.file("none.txt"), "none.txt");
  refused("--scheduler hios-lp --window 0 --dag " + good, "window=0");
  refused("--scheduler hios-lp --window 2 --opt window=3 --dag " + good, "--window 2");
  refused("--scheduler heft --window 2 --dag " + good, "'window'");
}

TEST(Simulation, StripsAreNeverWorseThanWholeOperators) {
  const TempDir dir;
  const ProgramResult result = run_program("simulate divisible --dags 1 --out " + dir.file("out"));
  ASSERT_EQ(result.code, 0) << result.err;
  const records::Records records = records::Records::read(dir.file("out"));
  ASSERT_EQ(records.standing().size(), 6U * 4U);  // no lower bound, because strips may beat it
  bool shorter = false;
  for (const records::Record* record : records.standing()) {
    if (record->what.options.empty()) continue;
    EXPECT_EQ(record->what.options.at("split"), "rows");
    records::Record whole = *record;
    whole.what.options.clear();
    const records::Record* other = records.find(whole.key());
    ASSERT_NE(other, nullptr) << record->key();
    EXPECT_LE(*record->value, *other->value) << record->key();
    shorter = shorter || *record->value < *other->value;
  }
  EXPECT_TRUE(shorter);
}

TEST(Simulation, StudiesGoOnWhereTheyStopped) {
  const TempDir dir;
  const std::string folder = dir.file("out"), file = records::records_file(folder);
  const std::string command = "simulate optimum --dags 3 --seed 5 --out " + folder;
  const ProgramResult result = run_program(command);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("Distance from the optimum"), std::string::npos) << result.out;
  const std::string whole = read_file(file);
  const records::Records records = records::Records::read(folder);
  ASSERT_EQ(records.standing().size(), 4U * 6U);
  for (const records::Record* record : records.standing()) {
    EXPECT_EQ(record->provenance, Provenance::synthetic);
    EXPECT_EQ(records.run_of(*record).command, "opsched " + command);
    records::Record exact = *record, bound = *record;
    exact.what.scheduler = "exact";
    bound.what.scheduler = "lower-bound";
    for (std::size_t dag = 0; dag < 3; ++dag) {
      const double ms = record->series.at("makespan_ms").at(dag);
      EXPECT_GE(ms + 1e-4, records.find(bound.key())->series.at("makespan_ms").at(dag)) << record->key();
      if (record->what.scheduler != "lower-bound") {
        EXPECT_GE(ms + 1e-4, records.find(exact.key())->series.at("makespan_ms").at(dag)) << record->key();
      }
    }
  }

  // Nothing is left to do: everything stays the same, including scheduling times.
  ASSERT_EQ(run_program(command).code, 0);
  EXPECT_EQ(read_file(file), whole);

  // Killed in the third point: the first two are kept, and the others come out the same.
  std::string text = whole;
  for (int line = 0; line < 9; ++line) text.resize(text.rfind('\n', text.size() - 2) + 1);
  text.resize(text.size() - 20);
  write_file_atomically(file, text);
  ASSERT_EQ(run_program(command).code, 0);
  EXPECT_EQ(read_file(file).substr(0, text.rfind('\n') + 1), text.substr(0, text.rfind('\n') + 1));
  const records::Records again = records::Records::read(folder);
  ASSERT_EQ(again.standing().size(), records.standing().size());
  for (const records::Record* record : records.standing())
    EXPECT_EQ(again.find(record->key())->series.at("makespan_ms"), record->series.at("makespan_ms")) << record->key();

  const std::string others = "simulate optimum --dags 4 --seed 5 --out " + folder;
  const ProgramResult other = run_program(others);
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("other settings"), std::string::npos) << other.err;
  ASSERT_EQ(run_program(others + " --fresh").code, 0);
  const records::Records replaced = records::Records::read(folder);
  for (const records::Record* record : replaced.standing()) EXPECT_EQ(record->number("dags"), 4);
  for (const std::string foreign : {"{\"format\": 1}", "{\"format\": 1}\n"}) {
    write_file_atomically(file, foreign);
    EXPECT_EQ(run_program(command).code, 2);
    EXPECT_EQ(read_file(file), foreign);
  }
  EXPECT_EQ(run_program("simulate weather").code, 2);
}

}  // namespace
}  // namespace opsched::test
