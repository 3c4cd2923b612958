// The GPUs of this host; built only with the CUDA runtime.
#include <algorithm>
#include <map>

#include "core/cost/profile/measured_graph.hpp"
#include "core/cost/profile/recorded.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/distributed/distributed_executor.hpp"
#include "core/runtime/distributed/link_times.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/device/device.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/device/gpu/kernel_cache.hpp"
#include "experiments/device/gpu_processes.hpp"

namespace opsched {
namespace {

/// The kernels' version of a run: results without early ReLU have one of their own, so that nothing mixes them.
std::string version_of(std::string kernels, bool late_relu) {
  if (late_relu) kernels += std::string(" ") + kLateRelu;
  return kernels;
}

DeviceFacts facts_of(const CudaDevice& gpu, bool late_relu) {
  return {.name = gpu.name,
          .compute_capability = gpu.compute_capability,
          .multiprocessors = gpu.multiprocessors,
          .memory_bytes = gpu.memory_bytes,
          .l2_bytes = gpu.l2_bytes,
          .driver = gpu.driver,
          .cuda = gpu.cuda,
          .cudnn = gpu.cudnn,
          .kernels = version_of(std::to_string(kernels_version()), late_relu)};
}

/// Costs and runtime of one precision.
struct PrecisionContext {
  std::unique_ptr<CudaRuntime> runtime;
  std::unique_ptr<PartRuntime> parts;  ///< made when several processes first run a schedule together
  DeviceFacts facts;                   ///< including the version tag of the kernels at the time of opening
  Profile profile;
  std::string file;
};

class GpuDevice final : public Device {
 public:
  explicit GpuDevice(const DeviceOptions& options)
      : used_(options.gpus),
        through_host_(options.through_host),
        late_relu_(options.late_relu),
        report_(options.report),
        gpu_ids_(options.gpu_ids),
        processes_(options.processes != nullptr && options.processes->size() > 1 ? options.processes : nullptr) {
    CudaDevices found = cuda_devices();
    const SharedGpus shared = processes_ ? share_gpus(*processes_) : SharedGpus{};
    if (found.usable.empty()) throw Error("no GPU: " + found.reason + "; --device sim replays recorded measurements");
    gpus_ = std::move(found.usable);
    if (!options.gpu_ids.empty()) {
      std::vector<CudaDevice> chosen;
      for (int id : options.gpu_ids) chosen.push_back(gpus_.at(static_cast<std::size_t>(id)));
      gpus_ = std::move(chosen);
    }
    count_ = processes_ ? shared.total : static_cast<int>(gpus_.size());
    if (options.gpus > count_)
      throw Error(std::to_string(options.gpus) + " GPUs asked for, " + here() + " " + std::to_string(count_));
    facts_ = facts_of(gpus_.front(), late_relu_);
    std::string kind = short_name(facts_.name);
    if (used_ > 1) kind += "-x" + std::to_string(used_);
    if (used_ > 1 && processes_) {
      spread_ = {spread_devices(used_, processes_->size()), shared.host_of};
      kind += "-by-" + std::to_string(processes_->size());  // other links, so a separate folder
    }
    if (late_relu_) kind += std::string("-") + kLateRelu;
    name_ = measuring_folder_name(kind, facts_.kernels);
    if (through_host_ && options.profile.empty())
      throw Error("--through-host needs --profile FOLDER, because its measurements must not mix with other transfers");
    folder_ = options.profile.empty() ? "results/" + name_ : options.profile;
  }

  const DeviceFacts& facts() const override { return facts_; }
  std::string replayed() const override { return {}; }
  std::string name() const override { return name_; }
  std::string profile_folder() const override { return folder_; }
  std::string cost_key(Precision precision) override {
    const auto& context = context_of(precision);
    return describe() + ", " + to_string(precision) + ", kernels " + context.facts.kernels +
           (through_host_ ? ", through host memory" : "") + ", " + links_key(context.profile);
  }

  void open(Precision precision) override { context_of(precision); }

  void require(int gpus, Precision) override {
    if (gpus > count_) throw Error("needs " + std::to_string(gpus) + " GPUs, " + here() + " " + std::to_string(count_));
  }

  std::unique_ptr<CostModel> costs(const Graph& graph, Precision precision) override {
    PrecisionContext& context = context_of(precision);
    const int together = processes_ ? static_cast<int>(std::ranges::count(spread_.process_of, 0)) : used_;
    if (together > 1) context.runtime->measure_transfers(context.profile, together);
    if (spread_.process_of.empty()) return context.runtime->make_cost(graph, context.profile);
    measure_links(*processes_, parts_of(context), spread_, context.profile, {}, report_);
    return context.runtime->make_cost(graph, context.profile, [this, precision](const Graph& g, const Schedule& s) {
      const Measurement latency = spread(g, s, precision, 1, Waits::needed)->measure({});
      return ProfileEntry{.ms = latency.median, .mad_ratio = latency.mad_ratio, .runs = latency.runs};
    });
  }

  std::unique_ptr<Executor> executor(CostModel& costs, const Schedule& schedule, Precision precision,
                                     std::uint64_t seed, Waits waits) override {
    if (processes_ && schedule.devices.size() > 1) return spread(costs.graph(), schedule, precision, seed, waits);
    return context_of(precision).runtime->make_executor(costs.graph(), schedule, seed, waits);
  }

  void keep(CostModel& costs, const Schedule& schedule, const records::Case& what,
            const Measurement& latency) override {
    PrecisionContext& context = context_of(what.precision);
    context.profile.record_schedule(
        fingerprint(costs.graph()), fingerprint(schedule),
        {.record = {.ms = latency.median, .mad_ratio = latency.mad_ratio, .runs = latency.runs},
         .origin = origin_of(costs.graph(), schedule, what.scheduler, what.options),
         .schedule = to_text(schedule)});
    DeviceFacts facts = context.facts;
    facts.sm_clock_min_mhz = facts.sm_clock_max_mhz = latency.sm_clock_mhz;
    facts.memory_clock_min_mhz = facts.memory_clock_max_mhz = latency.memory_clock_mhz;
    context.profile.add_facts(facts);
  }

  std::unique_ptr<CoRunTuner> co_run_tuner(std::vector<CoRunSchedule> schedules, Precision precision) override {
    return context_of(precision).runtime->make_co_run_tuner(std::move(schedules));
  }

  void save() override {
    for (auto& [precision, context] : contexts_) context->profile.save(context->file);
  }

 private:
  /// Executes on the GPUs of all processes. A schedule for fewer GPUs uses the first ones, so that its links are those
  /// that the search assumed.
  std::unique_ptr<Executor> spread(const Graph& graph, Schedule schedule, Precision precision, std::uint64_t seed,
                                   Waits waits) {
    schedule.devices.resize(spread_.process_of.size());
    PartRuntime& parts = parts_of(context_of(precision));
    return make_distributed_executor(*processes_, parts,
                                     {.back_end = parts.name(),
                                      .precision = precision,
                                      .graph = graph,
                                      .schedule = std::move(schedule),
                                      .seed = seed,
                                      .waits = waits,
                                      .process_of = spread_.process_of});
  }

  PartRuntime& parts_of(PrecisionContext& context) {
    if (!context.parts) context.parts = context.runtime->make_parts(*processes_);
    return *context.parts;
  }

  std::string here() const { return processes_ ? "these processes have" : "this host has"; }

  PrecisionContext& context_of(Precision precision) {
    std::unique_ptr<PrecisionContext>& context = contexts_[precision];
    if (context) return *context;
    const std::string file = profile_file(folder_, precision);
    CudaOptions options;
    options.precision = precision;
    options.cache_file = kernel_cache_file(facts_.name, precision);
    if (options.cache_file.empty() && report_)
      report_("kernel choices are not stored: neither XDG_CACHE_HOME nor HOME is set");
    options.device_ids = gpu_ids_;
    options.through_host = through_host_;
    options.progress = report_;
    auto runtime = std::make_unique<CudaRuntime>(options);
    DeviceFacts facts = facts_;
    facts.kernels = version_of(runtime->kernels_version_tag(), late_relu_);
    Profile profile = Profile::open(file, facts, precision);
    context =
        std::make_unique<PrecisionContext>(PrecisionContext{std::move(runtime), {}, facts, std::move(profile), file});
    return *context;
  }

  std::vector<CudaDevice> gpus_;  ///< visible to this process
  int count_ = 0;                 ///< in all processes
  int used_;                      ///< how many of them schedules may use
  bool through_host_, late_relu_;
  Report report_;
  std::vector<int> gpu_ids_;
  ProcessGroup* processes_;  ///< nullptr: this is the only process
  ProcessDevices spread_;    ///< of the GPUs in use; empty unless several processes have some
  std::string name_, folder_;
  DeviceFacts facts_;
  std::map<Precision, std::unique_ptr<PrecisionContext>> contexts_;
};

}  // namespace

std::string why_no_gpu() { return cuda_devices().reason; }

std::vector<std::string> gpu_names() {
  std::vector<std::string> names;
  for (const CudaDevice& gpu : cuda_devices().usable) names.push_back(gpu.name);
  return names;
}

std::unique_ptr<Device> open_gpu(const DeviceOptions& options) { return std::make_unique<GpuDevice>(options); }

}  // namespace opsched
