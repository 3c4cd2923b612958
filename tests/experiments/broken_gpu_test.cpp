// A bench whose GPU fails: earlier measurements are kept, and the other cases are listed.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "core/error.hpp"
#include "experiments/bench/session.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/failing_device.hpp"

namespace opsched::test {
namespace {

using records::Record;
using records::Records;

std::vector<records::Case> four_cases() {
  std::vector<records::Case> cases;
  for (const char* scheduler : {"sequential", "greedy", "wavefront", "dataflow"})
    cases.push_back({.network = "squeezenet", .scheduler = scheduler, .precision = Precision::fp32});
  return cases;
}

struct Outcome {
  int latencies = 0;    ///< number of requests for latencies
  std::string message;  ///< of the error that ended the run; empty if none did
};

/// Runs the four cases into `folder`, in a separate process, because Google Benchmark can run only once per process.
Outcome bench_on(const std::string& folder, const std::function<void()>& before_run) {
  const TempDir aside;
  const std::string said = aside.file("said");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    std::ofstream to(said);
    int latencies = 0;
    FailingDevice device(made_up_profile(), [&](int n) {
      latencies = n;
      before_run();
    });
    std::string message;
    try {
      records::RecordFile file(folder, device.run(), records::RecordFile::Start::continued);
      bench::run_session(device, &file, {.cases = four_cases(), .max_seconds = 0.01});
    } catch (const std::exception& e) {
      message = e.what();
    }
    to << latencies << "\n" << message << "\n";
    to.close();
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  Outcome outcome;
  std::ifstream from(said);
  from >> outcome.latencies >> std::ws;
  std::getline(from, outcome.message);
  return outcome;
}

/// Schedulers with a latency in a folder, and those with a reason for having none.
std::pair<std::set<std::string>, std::set<std::string>> standing_in(const std::string& folder) {
  std::pair<std::set<std::string>, std::set<std::string>> found;
  const Records all = Records::read(folder);
  for (const Record* r : all.standing()) (r->value ? found.first : found.second).insert(r->what.scheduler);
  return found;
}

const std::set<std::string> kAll = {"sequential", "greedy", "wavefront", "dataflow"};

TEST(BrokenGpu, OneThatFallsOutKeepsWhatItHadAndTheRestIsNamed) {
  made_up_profile();  // made before processes are forked that would each make it
  const TempDir undisturbed;
  const int all = bench_on(undisturbed.path(), [] {}).latencies;
  for (std::size_t healthy = 0; healthy < kAll.size(); ++healthy) {
    const TempDir folder;
    const std::string out = folder.path();
    const Outcome lost = bench_on(out, [&] {
      if (standing_in(out).first.size() == healthy) throw DeviceLost("unspecified launch failure");
    });
    const auto [measured, failed] = standing_in(out);
    EXPECT_EQ(measured.size(), healthy);
    EXPECT_TRUE(failed.empty()) << "nothing is wrong with what did not run";
    EXPECT_TRUE(contains(lost.message, "unspecified launch failure")) << lost.message;
    for (const std::string& scheduler : kAll)
      EXPECT_EQ(contains(lost.message, "squeezenet/" + scheduler + "/"), !measured.contains(scheduler)) << lost.message;

    const Outcome rerun = bench_on(out, [] {});
    EXPECT_EQ(rerun.message, "");
    EXPECT_EQ(standing_in(out).first, kAll);
    if (healthy > 0) {
      EXPECT_LT(rerun.latencies, all) << "what was finished ran again";
    }
  }
}

TEST(BrokenGpu, ACaseThatFailsSaysWhyAndTheOthersGoOn) {
  made_up_profile();
  for (std::size_t healthy = 1; healthy < kAll.size(); ++healthy) {
    const TempDir folder;
    const std::string out = folder.path();
    const Outcome outcome = bench_on(out, [&] {
      const auto [measured, failed] = standing_in(out);
      if (measured.size() == healthy && failed.empty()) throw Error("out of memory");
    });
    EXPECT_EQ(outcome.message, "");
    const Records records = Records::read(out);
    EXPECT_EQ(records.standing().size(), kAll.size());
    int failed = 0;
    for (const Record* r : records.standing()) {
      if (r->value) continue;
      EXPECT_TRUE(contains(r->missing, "out of memory")) << r->missing;
      ++failed;
    }
    EXPECT_EQ(failed, 1);
  }
}

}  // namespace
}  // namespace opsched::test
