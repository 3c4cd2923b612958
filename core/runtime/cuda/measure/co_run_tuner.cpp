#include "core/runtime/cuda/measure/co_run_tuner.hpp"

#include <algorithm>
#include <utility>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"
#include "core/runtime/program/gpu_lowering.hpp"

namespace opsched {
namespace {

constexpr std::uint64_t kSeed = 1;  // seed of the weights

/// Replaces kernels in the library for the lifetime of this object.
class Replaced {
 public:
  explicit Replaced(KernelLibrary& library) : library_(library) {}
  ~Replaced() {
    for (auto& [problem, kernel] : before_) library_.use(problem, std::move(kernel));
  }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  void use(const Problem& problem, std::shared_ptr<const Kernel> kernel) {
    before_.emplace_back(problem, library_.get(problem));
    library_.use(problem, std::move(kernel));
  }

 private:
  KernelLibrary& library_;
  std::vector<std::pair<Problem, std::shared_ptr<const Kernel>>> before_;
};

/// A sum of more inputs than one kernel takes is several problems, as in KernelLibrary::prepare.
void add_problem(const Problem& p, std::map<std::string, Problem>& problems, std::map<std::string, int>& uses) {
  if (p.inputs.size() > native::kMaxSources) {
    add_problem(sum_of(p, native::kMaxSources), problems, uses);
    add_problem(after_sum(p, native::kMaxSources), problems, uses);
    return;
  }
  const std::string key = p.key();
  problems.emplace(key, p);
  ++uses[key];
}

}  // namespace

CudaCoRunTuner::CudaCoRunTuner(std::vector<CoRunSchedule> members, DeviceContext& device, Precision precision,
                               const std::function<void(const std::string&)>& progress)
    : device_(device), precision_(precision) {
  for (CoRunSchedule& m : members) {
    if (m.schedule.devices.size() != 1)
      throw Error("kernels are refined in schedules of one GPU; '" + m.schedule.scheduler + "' uses " +
                  std::to_string(m.schedule.devices.size()));
    auto weights = std::make_unique<WeightStore>(m.graph, kSeed);
    members_.push_back({std::move(m), std::move(weights), {}, nullptr});
    Member& member = members_.back();
    const Program program = lower(member.what.graph, member.what.schedule, lowering_for(precision));
    for (const Step& step : program.steps)
      add_problem(make_problem(program, step, precision, preferred_format(precision)), problems_, member.uses);
  }
  std::vector<Problem> all;
  for (const auto& [key, p] : problems_) all.push_back(p);
  device_.activate();
  device_.kernels().prepare(all, progress);
  device_.warm_up();
}

std::vector<PosedProblem> CudaCoRunTuner::problems() {
  std::vector<PosedProblem> posed;
  for (const auto& [key, p] : problems_) {
    const TunedKernel& choice = device_.kernels().choice(p);
    PosedProblem& one = posed.emplace_back();
    one.problem = key;
    one.chosen = choice.kernel;
    one.alone = choice.alone;
    if (const auto tried = choice.tried.find(schedules_with(key)); tried != choice.tried.end())
      one.tried = tried->second;
    for (const Member& member : members_)
      if (const auto uses = member.uses.find(key); uses != member.uses.end()) one.uses += uses->second;
  }
  return posed;
}

std::vector<LaunchVariant> CudaCoRunTuner::launch_variants(const std::string& kernel) {
  return opsched::launch_variants(kernel);
}

std::vector<KernelComparison> CudaCoRunTuner::compare_each(std::span<const KernelChange> changes, int turns) {
  device_.activate();
  std::vector<std::shared_ptr<const Kernel>> kernels;
  for (const KernelChange& change : changes)
    kernels.push_back(device_.kernels().build(problem(change.problem), change.kernel));
  std::vector<KernelComparison> each;
  for (Member& member : members_) {
    KernelComparison& one = each.emplace_back();
    if (!poses(member, changes)) continue;
    current(member);  // captured first, so that the memory is large enough for everything that follows
    std::unique_ptr<Captured> changed;
    {
      Replaced replaced(device_.kernels());
      for (std::size_t i = 0; i < changes.size(); ++i) replaced.use(problem(changes[i].problem), kernels[i]);
      changed = capture(member);
    }
    const CapturedProgram& before = current(member);
    one = compare_replays({before.exec(), changed->program.exec()}, before.stream(), turns);
  }
  return each;
}

void CudaCoRunTuner::choose(const std::string& key, const std::string& kernel, const KernelComparison& why) {
  const Problem& p = problem(key);
  TunedKernel choice = device_.kernels().choice(p);
  const std::string alone = choice.refined() ? choice.instead_of : choice.kernel;
  choice.kernel = kernel;
  choice.instead_of = kernel == alone ? "" : alone;
  choice.co_run = schedules_with(key);
  choice.before_ms = why.before;
  choice.after_ms = why.after;
  device_.kernels().choose(p, std::move(choice));
  for (Member& member : members_)
    if (member.uses.contains(key)) member.current.reset();
}

void CudaCoRunTuner::remember_tried(const std::string& key, const std::set<std::string>& kernels) {
  const Problem& p = problem(key);
  TunedKernel choice = device_.kernels().choice(p);
  choice.tried[schedules_with(key)].insert(kernels.begin(), kernels.end());
  device_.kernels().remember(p, std::move(choice));
}

std::unique_ptr<CudaCoRunTuner::Captured> CudaCoRunTuner::capture(Member& member) {
  DeviceContext* devices[] = {&device_};
  CapturedProgram program(lower(member.what.graph, member.what.schedule, lowering_for(precision_)), precision_,
                          MemoryUse::scratch, devices, {},
                          [&](const Step& step, const Kernel& kernel, DeviceContext& device) {
                            return member.weights->get(step, kernel, device);
                          });
  return std::make_unique<Captured>(Captured{std::move(program), device_.scratch(0)});
}

const CapturedProgram& CudaCoRunTuner::current(Member& member) {
  if (!member.current || member.current->memory != device_.scratch(0)) {
    member.current.reset();
    member.current = capture(member);
  }
  return member.current->program;
}

bool CudaCoRunTuner::poses(const Member& member, std::span<const KernelChange> changes) const {
  return std::ranges::any_of(changes, [&](const KernelChange& c) { return member.uses.contains(c.problem); });
}

const Problem& CudaCoRunTuner::problem(const std::string& key) const {
  const auto it = problems_.find(key);
  if (it == problems_.end()) throw Error("these schedules do not pose the problem " + key);
  return it->second;
}

std::string CudaCoRunTuner::schedules_with(const std::string& key) const {
  std::string names;
  for (const Member& member : members_) {
    if (!member.uses.contains(key)) continue;
    const Graph& graph = member.what.graph;
    names += (names.empty() ? "" : " + ") + graph.name() + "/" + member.what.schedule.scheduler +
             "/batch:" + std::to_string(graph.batch()) + " (" + fingerprint(graph) + ")";
  }
  return names;
}

}  // namespace opsched
