#include "core/runtime/cuda/library/kernel_library.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/library/cudnn_graph.hpp"
#include "core/runtime/cuda/library/kernel_benchmark.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

constexpr double kBuildSeconds = 3;  // for the candidates of one problem; what is built by then competes
constexpr int kFirstRuns = 2;        // of every candidate
constexpr int kFinalists = 5;        // run again, in turns
constexpr int kFinalRuns = 9;
constexpr double kFinalMargin = 1.15;  // over the best
// A candidate whose first launch took that many times the best one's is not looked at further.
constexpr double kHopeless = 2;
constexpr int kKept = 24;      // candidates of a problem that the choice file holds
constexpr int kKeptSmall = 2;  // besides those, however slow: of the ones that leave room for others

/// A problem on its way to a kernel.
struct PendingKernel {
  Problem problem;
  std::string key;
  std::string remembered;  ///< name of the kernel in the choice file; empty: unknown
  struct Candidate {
    std::string name;
    std::shared_ptr<const Kernel> kernel;
    std::string failure;
  };
  std::vector<Candidate> candidates;
};

/// Builds what the choice file knows, or else every candidate.
void build_candidates(PendingKernel& task, const Site& site, const cudnn::Handle& builder) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto attempt = [&](const std::string& name) {
    PendingKernel::Candidate& candidate = task.candidates.emplace_back();
    candidate.name = name;
    try {
      candidate.kernel = build_kernel(task.problem, name, site, builder);
    } catch (const Error& e) {
      candidate.failure = e.what();
    }
  };
  if (!task.remembered.empty()) {
    attempt(task.remembered);
    if (task.candidates.front().kernel) return;
    task.remembered.clear();
    task.candidates.clear();
  }
  for (const std::string& name : list_kernels(task.problem, site, builder)) {
    if (Clock::now() - start > std::chrono::duration<double>(kBuildSeconds)) break;
    attempt(name);
  }
}

/// Checks and times the candidates; the best comes first. Those that fail say why.
Tuning measure(PendingKernel& task, const TrialBench& bench) {
  std::size_t workspace = 0;
  for (const auto& candidate : task.candidates)
    if (candidate.kernel) workspace = std::max(workspace, candidate.kernel->workspace_bytes());
  Trial trial(task.problem, bench, workspace);
  struct Runner {
    std::shared_ptr<const Kernel> kernel;
    Trial::Series series;
    std::vector<double> ms;
    double best() const { return *std::ranges::min_element(ms); }
    double median() const {
      std::vector<double> sorted = ms;
      std::ranges::nth_element(sorted, sorted.begin() + sorted.size() / 2);
      return sorted[sorted.size() / 2];
    }
  };
  std::vector<Runner> runners;
  Tuning tuning{.problem = task.key, .candidates = {}};
  double best = 1e30, best_first = 1e30;
  for (PendingKernel::Candidate& candidate : task.candidates) {
    Tuning::Candidate result{.kernel = candidate.name, .ms = 0, .error = 0, .failure = candidate.failure};
    if (candidate.kernel) {
      try {
        result.error = trial.check(*candidate.kernel);
        result.ms = trial.first_ms();
        best_first = std::min(best_first, result.ms);
        if (result.ms <= kHopeless * best_first) {
          Runner runner{candidate.kernel, trial.series(*candidate.kernel), {}};
          for (int i = 0; i < kFirstRuns; ++i) runner.ms.push_back(runner.series.run(bench));
          result.ms = runner.best();
          best = std::min(best, result.ms);
          runners.push_back(std::move(runner));
        }
      } catch (const Error& e) {
        result.failure = e.what();
      }
    }
    tuning.candidates.push_back(std::move(result));
  }
  std::ranges::sort(runners, {}, &Runner::best);
  const auto finalists = static_cast<std::size_t>(
      std::ranges::count_if(runners, [&](const Runner& r) { return r.best() <= kFinalMargin * best; }));
  runners.resize(std::min<std::size_t>(finalists, kFinalists));
  for (Runner& runner : runners) runner.ms.clear();
  for (int i = 0; i < kFinalRuns && runners.size() > 1; ++i)
    for (Runner& runner : runners) runner.ms.push_back(runner.series.run(bench));
  if (runners.size() > 1) {
    std::ranges::sort(runners, {}, &Runner::median);
    for (const Runner& runner : runners)
      std::ranges::find(tuning.candidates, runner.kernel->describe(), &Tuning::Candidate::kernel)->ms = runner.median();
  }
  std::ranges::stable_sort(tuning.candidates, [&](const auto& a, const auto& b) {
    if (a.failure.empty() != b.failure.empty()) return a.failure.empty();
    return a.ms < b.ms;
  });
  if (!runners.empty()) {  // the finalists' medians decide, also against a lucky first run of another
    const auto winner =
        std::ranges::find(tuning.candidates, runners.front().kernel->describe(), &Tuning::Candidate::kernel);
    std::rotate(tuning.candidates.begin(), winner, winner + 1);
    task.candidates = {{runners.front().kernel->describe(), runners.front().kernel, ""}};
  } else {
    task.candidates.clear();
  }
  return tuning;
}

}  // namespace

TunedKernel choice_of(const Tuning& tuning) {
  TunedKernel choice;
  choice.kernel = tuning.candidates.front().kernel;
  const double limit = kHopeless * tuning.candidates.front().ms;
  int close = 0, small = 0;
  for (const Tuning::Candidate& c : tuning.candidates) {
    if (!c.failure.empty()) continue;
    const bool room = leaves_room(c.kernel);
    if (room ? ++small <= kKeptSmall : c.ms <= limit && ++close <= kKept)
      choice.alone.push_back({c.kernel, c.ms, room});
  }
  return choice;
}

struct KernelLibrary::Impl {
  Site site;
  ChoiceFile choices;
  std::vector<std::unique_ptr<cudnn::Handle>> builders;  ///< one a thread
  std::unordered_map<std::string, std::shared_ptr<const Kernel>> ready;
  std::set<std::string> chunked;  ///< keys of those in `ready` that are made of several
  std::vector<Tuning> tunings;

  Impl(int device, const std::string& cache_file)
      : site(std::make_shared<KernelSite>(device)), choices(cache_file, site->name) {}

  void build_all(std::vector<PendingKernel>& tasks);
};

void KernelLibrary::Impl::build_all(std::vector<PendingKernel>& tasks) {
  const int workers = std::min({processors(), 16, static_cast<int>(tasks.size())});
  if (static_cast<int>(builders.size()) < workers) builders.resize(workers);
  std::atomic<std::size_t> next{0};
  parallel_for(workers, workers, [&](int worker) {
    OPSCHED_CUDA(cudaSetDevice(site->device));
    std::unique_ptr<cudnn::Handle>& builder = builders[worker];
    if (!builder) builder = std::make_unique<cudnn::Handle>();
    for (std::size_t i; (i = next++) < tasks.size();) build_candidates(tasks[i], site, *builder);
  });
}

KernelLibrary::KernelLibrary(int device, const std::string& cache_file)
    : impl_(std::make_unique<Impl>(device, cache_file)) {}
KernelLibrary::~KernelLibrary() = default;
KernelLibrary::KernelLibrary(KernelLibrary&&) noexcept = default;
KernelLibrary& KernelLibrary::operator=(KernelLibrary&&) noexcept = default;

const std::vector<Tuning>& KernelLibrary::tunings() const { return impl_->tunings; }

void KernelLibrary::prepare(std::span<const Problem> problems,
                            const std::function<void(const std::string&)>& progress) {
  const DeviceScope scope(impl_->site->device);
  auto& ready = impl_->ready;
  const auto say = [&](const std::string& line) {
    if (progress) progress(line);
  };

  // A sum of more inputs than a kernel takes becomes two problems.
  std::vector<PendingKernel> tasks;
  std::vector<Problem> chunked, left(problems.begin(), problems.end());
  std::unordered_map<std::string, bool> seen;
  bool refreshed = false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const Problem problem = left[i];
    std::string key = problem.key();
    if (ready.contains(key) || !seen.emplace(key, true).second) continue;
    if (problem.inputs.size() > native::kMaxSources) {
      left.push_back(sum_of(problem, native::kMaxSources));
      left.push_back(after_sum(problem, native::kMaxSources));
      chunked.push_back(problem);
      continue;
    }
    const TunedKernel* remembered = impl_->choices.find(key);
    if (!remembered && !std::exchange(refreshed, true)) {
      impl_->choices.refresh();
      remembered = impl_->choices.find(key);
    }
    tasks.push_back({problem, std::move(key), remembered ? remembered->kernel : "", {}});
  }
  if (tasks.empty() && chunked.empty()) return;

  const auto unknown = std::ranges::count_if(tasks, [](const PendingKernel& task) { return task.remembered.empty(); });
  if (unknown > 0) say("building kernels for " + std::to_string(unknown) + " problems");
  impl_->build_all(tasks);

  const TrialBench bench;
  std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>> rebuilt;
  std::size_t done = 0;
  for (PendingKernel& task : tasks) {
    if (task.remembered.empty()) {
      if (done % 10 == 0)
        say("measuring kernels: " + std::to_string(done) + " of " + std::to_string(unknown) + " problems");
      ++done;
      impl_->tunings.push_back(measure(task, bench));
      if (task.candidates.empty()) {
        const auto& failed = impl_->tunings.back().candidates;
        throw Error("no kernel works for this operator on GPU " + impl_->site->name + ": " + task.key +
                    (failed.empty() ? "" : " (" + failed.front().kernel + ": " + failed.front().failure + ")"));
      }
      impl_->choices.set(task.key, choice_of(impl_->tunings.back()));
    } else {
      rebuilt.emplace_back(task.problem, task.candidates.front().kernel);
    }
    ready[task.key] = task.candidates.front().kernel;
  }
  impl_->choices.save();
  if (!rebuilt.empty()) load_code(rebuilt);
  for (auto it = chunked.rbegin(); it != chunked.rend(); ++it) {
    const Problem sum = sum_of(*it, native::kMaxSources), rest = after_sum(*it, native::kMaxSources);
    ready[it->key()] = sum_first(sum, native::kMaxSources, ready.at(sum.key()), ready.at(rest.key()));
    impl_->chunked.insert(it->key());
  }
}

std::shared_ptr<const Kernel> KernelLibrary::get(const Problem& problem) {
  const std::string key = problem.key();
  if (!impl_->ready.contains(key)) prepare({&problem, 1});
  return impl_->ready.at(key);
}

const TunedKernel& KernelLibrary::choice(const Problem& problem) const {
  const std::string key = problem.key();
  const TunedKernel* choice = impl_->choices.find(key);
  if (!choice) throw Error("no kernel was chosen yet for " + key);
  return *choice;
}

void KernelLibrary::choose(const Problem& problem, TunedKernel choice) {
  use(problem, build(problem, choice.kernel));
  remember(problem, std::move(choice));
}

void KernelLibrary::remember(const Problem& problem, TunedKernel choice) {
  impl_->choices.set(problem.key(), std::move(choice));
  impl_->choices.save();
}

std::shared_ptr<const Kernel> KernelLibrary::build(const Problem& problem, const std::string& kernel) {
  const DeviceScope scope(impl_->site->device);
  if (impl_->builders.empty()) impl_->builders.resize(1);
  if (!impl_->builders.front()) impl_->builders.front() = std::make_unique<cudnn::Handle>();
  std::shared_ptr<const Kernel> built = build_kernel(problem, kernel, impl_->site, *impl_->builders.front());
  load_code({{problem, built}});
  return built;
}

void KernelLibrary::use(const Problem& problem, std::shared_ptr<const Kernel> kernel) {
  // Those that may be made of it are put together again when they are asked for.
  for (const std::string& key : impl_->chunked) impl_->ready.erase(key);
  impl_->chunked.clear();
  impl_->ready[problem.key()] = std::move(kernel);
}

}  // namespace opsched
