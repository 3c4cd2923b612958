#include "core/runtime/cuda/library/kernel_library.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
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

constexpr int kMostBuilders = 32;  // builder threads, each with its own cuDNN handle
constexpr int kFirstRuns = 2;      // runs of every candidate
constexpr int kFinalists = 5;      // candidates that are run again, in turns
constexpr int kFinalRuns = 9;
constexpr double kFinalMargin = 1.15;  // finalists are within this factor of the best
// A candidate is dropped if its first launch took this many times the best one's.
constexpr double kHopeless = 2;
constexpr int kKept = 24;      // candidates per problem in the tuning cache
constexpr int kKeptSmall = 2;  // plus candidates that leave SMs free, however slow

/// A problem for which a kernel is being chosen.
struct PendingKernel {
  Problem problem;
  std::string key;
  std::string remembered;  ///< name of the kernel in the tuning cache; empty: unknown
  struct Candidate {
    std::string name;
    std::shared_ptr<const Kernel> kernel;
    std::string failure;
  };
  std::vector<Candidate> candidates;
};

void build_candidate(PendingKernel::Candidate& candidate, const Problem& problem, const Site& site,
                     const cudnn::Handle& builder) {
  try {
    candidate.kernel = build_kernel(problem, candidate.name, site, builder);
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {
    candidate.failure = e.what();
  }
}

/// Checks and times the candidates, best first. Failed candidates carry the reason.
Tuning measure(PendingKernel& task, const BenchmarkContext& context) {
  std::size_t workspace = 0;
  for (const auto& candidate : task.candidates)
    if (candidate.kernel) workspace = std::max(workspace, candidate.kernel->workspace_bytes());
  KernelBenchmark benchmark(task.problem, context, workspace);
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
  std::vector<Runner> runners;
  Tuning tuning{.problem = task.key, .candidates = {}};
  double best = 1e30, best_first = 1e30;
  for (PendingKernel::Candidate& candidate : task.candidates) {
    Tuning::Candidate result{.kernel = candidate.name, .ms = 0, .error = 0, .failure = candidate.failure};
    if (candidate.kernel) {
      try {
        result.error = benchmark.check(*candidate.kernel);
        result.ms = benchmark.once(*candidate.kernel);
        best_first = std::min(best_first, result.ms);
        if (result.ms <= kHopeless * best_first) {
          Runner runner{candidate.kernel, benchmark.series(*candidate.kernel, result.ms), {}};
          for (int i = 0; i < kFirstRuns; ++i) runner.ms.push_back(runner.series.run(context));
          result.ms = runner.best();
          best = std::min(best, result.ms);
          runners.push_back(std::move(runner));
        }
      } catch (const DeviceLost&) {
        throw;
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
    for (Runner& runner : runners) runner.ms.push_back(runner.series.run(context));
  if (runners.size() > 1) {
    std::ranges::sort(runners, {}, &Runner::median);
    for (const Runner& runner : runners)
      std::ranges::find(tuning.candidates, runner.kernel->describe(), &Tuning::Candidate::kernel)->ms = runner.median();
  }
  std::ranges::stable_sort(tuning.candidates, [&](const auto& a, const auto& b) {
    if (a.failure.empty() != b.failure.empty()) return a.failure.empty();
    return a.ms < b.ms;
  });
  if (!runners.empty()) {  // the finalists' medians decide, even against another candidate's lucky first run
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
    const bool part = leaves_sms_free(c.kernel);
    if (part ? ++small <= kKeptSmall : c.ms <= limit && ++close <= kKept)
      choice.alone.push_back({c.kernel, c.ms, part});
  }
  return choice;
}

struct KernelLibrary::Impl {
  Site site;
  TuningCache cache;
  std::vector<std::unique_ptr<cudnn::Handle>> builders;  ///< one per thread
  std::unordered_map<std::string, std::shared_ptr<const Kernel>> ready;
  std::set<std::string> chunked;  ///< keys of the kernels in `ready` that are composed of several
  std::vector<Tuning> tunings;

  Impl(int device, const std::string& cache_file, const Report& report)
      : site(std::make_shared<KernelSite>(device)), cache(cache_file, site->name, report) {}

  /// Calls job(i, builder) for all i below `jobs` on the host's cores; each thread has its own cuDNN handle.
  void in_parallel(std::size_t jobs, const std::function<void(std::size_t, const cudnn::Handle&)>& job);
  /// Builds the kernels named by the tuning cache, and every candidate of the other problems, all side by side. The
  /// speed or load of the host must not decide which candidates compete, so only the lists bound their number: for a
  /// dense convolution some 100 kernels of this project, which take no time to build, at most 16 of cuBLASLt and 42 of
  /// cuDNN. The price: cuDNN compiles some of its engines when they are built, which takes up to seconds of a core
  /// each. So the first run of a network on a GPU takes longer the fewer cores the host has.
  void build_all(std::vector<PendingKernel>& tasks);
};

void KernelLibrary::Impl::in_parallel(std::size_t jobs,
                                      const std::function<void(std::size_t, const cudnn::Handle&)>& job) {
  const int workers = static_cast<int>(std::min<std::size_t>(std::min(processors(), kMostBuilders), jobs));
  if (static_cast<int>(builders.size()) < workers) builders.resize(workers);
  std::atomic<std::size_t> next{0};
  parallel_for(workers, workers, [&](int worker) {
    OPSCHED_CUDA(cudaSetDevice(site->device));
    std::unique_ptr<cudnn::Handle>& builder = builders[worker];
    if (!builder) builder = std::make_unique<cudnn::Handle>();
    for (std::size_t i; (i = next++) < jobs;) job(i, *builder);
  });
}

void KernelLibrary::Impl::build_all(std::vector<PendingKernel>& tasks) {
  in_parallel(tasks.size(), [&](std::size_t i, const cudnn::Handle& builder) {
    PendingKernel& task = tasks[i];
    if (!task.remembered.empty()) {
      PendingKernel::Candidate& known = task.candidates.emplace_back();
      known.name = task.remembered;
      build_candidate(known, task.problem, site, builder);
      if (known.kernel) return;
      task.remembered.clear();
      task.candidates.clear();
    }
    for (std::string& name : list_kernels(task.problem, site, builder))
      task.candidates.emplace_back().name = std::move(name);
  });
  std::vector<std::pair<PendingKernel*, PendingKernel::Candidate*>> left;
  for (PendingKernel& task : tasks)
    for (PendingKernel::Candidate& candidate : task.candidates)
      if (!candidate.kernel) left.emplace_back(&task, &candidate);
  in_parallel(left.size(), [&](std::size_t i, const cudnn::Handle& builder) {
    build_candidate(*left[i].second, left[i].first->problem, site, builder);
  });
}

KernelLibrary::KernelLibrary(int device, const std::string& cache_file, const Report& report)
    : impl_(std::make_unique<Impl>(device, cache_file, report)) {}
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

  // A sum of more inputs than one kernel takes becomes two problems.
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
    const TunedKernel* remembered = impl_->cache.find(key);
    if (!remembered && !std::exchange(refreshed, true)) {
      impl_->cache.refresh();
      remembered = impl_->cache.find(key);
    }
    tasks.push_back({problem, std::move(key), remembered ? remembered->kernel : "", {}});
  }
  if (tasks.empty() && chunked.empty()) return;

  const auto unknown = std::ranges::count_if(tasks, [](const PendingKernel& task) { return task.remembered.empty(); });
  if (unknown > 0) say("building kernels for " + std::to_string(unknown) + " problems");
  impl_->build_all(tasks);

  const BenchmarkContext context;
  std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>> rebuilt;
  std::size_t done = 0;
  for (PendingKernel& task : tasks) {
    if (task.remembered.empty()) {
      if (done % 10 == 0)
        say("measuring kernels: " + std::to_string(done) + " of " + std::to_string(unknown) + " problems");
      ++done;
      impl_->tunings.push_back(measure(task, context));
      if (task.candidates.empty()) {
        const auto& failed = impl_->tunings.back().candidates;
        throw Error("no kernel works for this operator on GPU " + impl_->site->name + ": " + task.key +
                    (failed.empty() ? "" : " (" + failed.front().kernel + ": " + failed.front().failure + ")"));
      }
      impl_->cache.set(task.key, choice_of(impl_->tunings.back()));
    } else {
      rebuilt.emplace_back(task.problem, task.candidates.front().kernel);
    }
    ready[task.key] = task.candidates.front().kernel;
  }
  impl_->cache.save();
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
  const TunedKernel* choice = impl_->cache.find(key);
  if (!choice) throw Error("no kernel was chosen yet for " + key);
  return *choice;
}

void KernelLibrary::choose(const Problem& problem, TunedKernel choice) {
  use(problem, build(problem, choice.kernel));
  remember(problem, std::move(choice));
}

void KernelLibrary::remember(const Problem& problem, TunedKernel choice) {
  impl_->cache.set(problem.key(), std::move(choice));
  impl_->cache.save();
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
  // Composed kernels that may use it are composed again on the next request.
  for (const std::string& key : impl_->chunked) impl_->ready.erase(key);
  impl_->chunked.clear();
  impl_->ready[problem.key()] = std::move(kernel);
}

}  // namespace opsched
