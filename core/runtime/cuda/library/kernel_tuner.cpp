#include "core/runtime/cuda/library/kernel_tuner.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

constexpr int kFirstRuns = 2;  // runs of every candidate
constexpr int kFinalists = 5;  // candidates that are run again, in turns
constexpr int kFinalRuns = 9;
constexpr double kFinalMargin = 1.15;  // finalists are within this factor of the best
// A kernel that takes this long fills the GPU, whose power may then be the limit. Of about equally fast ones, that with
// the least energy is the fastest in a network.
constexpr double kPowerFromMs = 0.2;
constexpr double kAlike = 1.03;
constexpr int kPowerFinalists = 3;
constexpr double kPowerMs = 80;  // until clocks have settled; 40 is too short
// A candidate is dropped if its first launch took this many times the best one's.
constexpr double kHopeless = 2;
constexpr int kKept = 24;      // candidates per problem in the tuning cache
constexpr int kKeptSmall = 2;  // plus candidates that leave SMs free, however slow

constexpr int kConcurrent = BenchmarkContext::kForks;  // copies of a kernel that run at the same time
// Each copy needs a workspace of its own. Kernels with a larger one fill the GPU alone.
constexpr std::size_t kMostWorkspace = std::size_t{64} << 20;

/// A candidate that is timed several times.
struct Runner {
  std::shared_ptr<const Kernel> kernel;
  KernelBenchmark::Series series;
  std::vector<double> ms;
  double best() const { return *std::ranges::min_element(ms); }
  double median() const {
    std::vector<double> sorted = ms;
    std::ranges::nth_element(sorted, sorted.begin() + sorted.size() / 2);
    return sorted[sorted.size() / 2];
  }
};

Tuning::Candidate& entry_of(Tuning& tuning, const Kernel& kernel) {
  return *std::ranges::find(tuning.candidates, kernel.describe(), &Tuning::Candidate::kernel);
}

/// Sorts those that are about as fast as the first by their latency when nothing else runs for a while.
void sort_by_sustained(std::vector<Runner>& runners, const BenchmarkContext& context) {
  if (runners.size() < 2 || runners.front().median() < kPowerFromMs) return;
  const double alike = kAlike * runners.front().median();
  const auto last = std::ranges::find_if(runners, [&](const Runner& r) { return r.median() > alike; });
  const std::span<Runner> close(runners.begin(), std::min(last, runners.begin() + kPowerFinalists));
  if (close.size() < 2) return;
  for (Runner& runner : close) runner.ms = {runner.series.sustained(context, runner.median(), kPowerMs)};
  std::ranges::sort(close, {}, &Runner::median);
}

/// Runs the best candidates again, in turns. Their medians decide, even against another one's lucky first run.
void settle(std::vector<Runner> runners, const BenchmarkContext& context, PendingKernel& task, Tuning& tuning) {
  for (const Runner& runner : runners) entry_of(tuning, *runner.kernel).ms = runner.best();
  std::ranges::sort(runners, {}, &Runner::best);
  const auto finalists = std::ranges::count_if(
      runners, [&](const Runner& r) { return r.best() <= kFinalMargin * runners.front().best(); });
  runners.resize(std::min<std::size_t>(finalists, kFinalists));
  for (Runner& runner : runners) runner.ms.clear();
  for (int i = 0; i < kFinalRuns && runners.size() > 1; ++i)
    for (Runner& runner : runners) runner.ms.push_back(runner.series.run(context));
  if (runners.size() > 1) {
    std::ranges::sort(runners, {}, &Runner::median);
    for (const Runner& runner : runners) entry_of(tuning, *runner.kernel).ms = runner.median();
    sort_by_sustained(runners, context);
  }
  std::ranges::stable_sort(tuning.candidates, [&](const auto& a, const auto& b) {
    if (a.failure.empty() != b.failure.empty()) return a.failure.empty();
    return a.ms < b.ms;
  });
  task.candidates.clear();
  if (runners.empty()) return;
  const auto winner = tuning.candidates.begin() + (&entry_of(tuning, *runners.front().kernel) - &tuning.candidates[0]);
  std::rotate(tuning.candidates.begin(), winner, winner + 1);
  task.candidates = {{runners.front().kernel->describe(), runners.front().kernel, ""}};
}

/// Stores why a candidate cannot be measured in its result.
template <class F>
void attempt(Tuning::Candidate& result, const F& measure) {
  try {
    measure();
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {
    result.failure = e.what();
  }
}

std::size_t most_workspace(const PendingKernel& task) {
  std::size_t bytes = 0;
  for (const auto& candidate : task.candidates)
    if (candidate.kernel) bytes = std::max(bytes, candidate.kernel->workspace_bytes());
  return bytes;
}

}  // namespace

Tuning measure_alone(PendingKernel& task, const BenchmarkContext& context) {
  KernelBenchmark benchmark(task.problem, context, most_workspace(task));
  std::vector<Runner> runners;
  Tuning tuning{.problem = task.key, .candidates = {}};
  double best_first = 1e30;
  for (PendingKernel::Candidate& candidate : task.candidates) {
    Tuning::Candidate result{.kernel = candidate.name, .ms = 0, .error = 0, .failure = candidate.failure};
    if (candidate.kernel)
      attempt(result, [&] {
        result.error = benchmark.check(*candidate.kernel);
        result.ms = benchmark.once(*candidate.kernel);
        best_first = std::min(best_first, result.ms);
        if (result.ms > kHopeless * best_first) return;
        Runner runner{candidate.kernel, benchmark.series(*candidate.kernel, result.ms), {}};
        for (int i = 0; i < kFirstRuns; ++i) runner.ms.push_back(runner.series.run(context));
        runners.push_back(std::move(runner));
      });
    tuning.candidates.push_back(std::move(result));
  }
  settle(std::move(runners), context, task, tuning);
  return tuning;
}

Tuning measure_concurrent(PendingKernel& task, const BenchmarkContext& context) {
  const auto fits = [](const auto& c) { return c.kernel && c.kernel->workspace_bytes() <= kMostWorkspace; };
  if (std::ranges::none_of(task.candidates, fits)) return measure_alone(task, context);
  for (auto& candidate : task.candidates)
    if (candidate.kernel && !fits(candidate)) {
      candidate.kernel.reset();
      candidate.failure = "needs too much workspace to run next to others";
    }
  KernelBenchmark benchmark(task.problem, context, kConcurrent * aligned(most_workspace(task)));
  std::vector<Runner> runners;
  Tuning tuning{.problem = task.key, .candidates = {}};
  for (PendingKernel::Candidate& candidate : task.candidates) {
    Tuning::Candidate result{
        .kernel = candidate.name, .ms = candidate.alone_ms, .error = 0, .failure = candidate.failure};
    if (candidate.kernel)
      attempt(result, [&] {
        Runner runner{candidate.kernel, benchmark.series(*candidate.kernel, candidate.alone_ms, kConcurrent), {}};
        for (int i = 0; i < kFirstRuns; ++i) runner.ms.push_back(runner.series.run(context));
        runners.push_back(std::move(runner));
      });
    tuning.candidates.push_back(std::move(result));
  }
  settle(std::move(runners), context, task, tuning);
  return tuning;
}

std::vector<PendingKernel::Candidate> candidates_from(const TunedKernel& alone) {
  std::vector<PendingKernel::Candidate> candidates;
  for (const KernelTime& k : alone.alone)
    candidates.push_back({.name = k.kernel, .kernel = nullptr, .failure = "", .alone_ms = k.ms});
  return candidates;
}

TunedKernel choice_of(const Tuning& tuning) {
  TunedKernel choice;
  choice.kernel = tuning.candidates.front().kernel;
  const double limit = kHopeless * tuning.candidates.front().ms;
  int close = 0, small = 0;
  for (const Tuning::Candidate& c : tuning.candidates) {
    if (!c.failure.empty()) continue;
    const bool part = leaves_sms_free(c.kernel);
    if (part ? ++small <= kKeptSmall : c.ms <= limit && ++close <= kKept)
      choice.alone.push_back({c.kernel, c.ms, part});
  }
  return choice;
}

}  // namespace opsched
