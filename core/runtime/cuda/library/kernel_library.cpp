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
#include "core/runtime/cuda/library/kernel_tuner.hpp"

namespace opsched {
namespace {

constexpr int kMostBuilders = 32;  // builder threads, each with its own cuDNN handle

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

/// The same problem without other kernels.
Problem alone(Problem problem) {
  problem.concurrent = false;
  return problem;
}

}  // namespace

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
  /// Builds the kernels named by the tuning cache, and the candidates of the other problems (all that there are, unless
  /// the task names some), all side by side. The
  /// speed or load of the host must not decide which candidates compete, so only the lists bound their number: for a
  /// dense convolution some 100 kernels of this project, which take no time to build, at most 16 of cuBLASLt and 42 of
  /// cuDNN. The price: cuDNN compiles some of its engines when they are built, which takes up to seconds of a core
  /// each. So the first run of a network on a GPU takes longer the fewer cores the host has.
  void build_all(std::vector<PendingKernel>& tasks);
  using Say = std::function<void(const std::string&)>;
  /// Makes the kernels of these problems ready: those of the tuning cache, and the best of the others' candidates.
  void tune(std::vector<PendingKernel>& tasks, const Say& say);
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
    if (!task.candidates.empty()) return;
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

void KernelLibrary::Impl::tune(std::vector<PendingKernel>& tasks, const Say& say) {
  if (tasks.empty()) return;
  const auto unknown = std::ranges::count_if(tasks, [](const PendingKernel& task) { return task.remembered.empty(); });
  if (unknown > 0) say("building kernels for " + std::to_string(unknown) + " problems");
  build_all(tasks);

  const BenchmarkContext context;
  std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>> rebuilt;
  std::size_t done = 0;
  for (PendingKernel& task : tasks) {
    if (task.remembered.empty()) {
      if (done % 10 == 0)
        say("measuring kernels: " + std::to_string(done) + " of " + std::to_string(unknown) + " problems");
      ++done;
      tunings.push_back(task.problem.concurrent ? measure_concurrent(task, context) : measure_alone(task, context));
      if (task.candidates.empty()) {
        const auto& failed = tunings.back().candidates;
        throw Error("no kernel works for this operator on GPU " + site->name + ": " + task.key +
                    (failed.empty() ? "" : " (" + failed.front().kernel + ": " + failed.front().failure + ")"));
      }
      cache.set(task.key, choice_of(tunings.back()));
    } else {
      rebuilt.emplace_back(task.problem, task.candidates.front().kernel);
    }
    ready[task.key] = task.candidates.front().kernel;
  }
  cache.save();
  if (!rebuilt.empty()) load_code(rebuilt);
}

void KernelLibrary::prepare(std::span<const Problem> problems,
                            const std::function<void(const std::string&)>& progress) {
  const DeviceScope scope(impl_->site->device);
  auto& ready = impl_->ready;
  const auto say = [&](const std::string& line) {
    if (progress) progress(line);
  };

  // A sum of more inputs than one kernel takes becomes two problems.
  std::vector<PendingKernel> tasks, concurrent;
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
    // Kernels that are good alone are the candidates for running next to others.
    if (problem.concurrent && !remembered) left.push_back(alone(problem));
    (problem.concurrent ? concurrent : tasks)
        .push_back({problem, std::move(key), remembered ? remembered->kernel : "", {}});
  }
  impl_->tune(tasks, say);
  for (PendingKernel& task : concurrent)
    if (task.remembered.empty()) task.candidates = candidates_from(choice(alone(task.problem)));
  impl_->tune(concurrent, say);
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
