// A device that was measured earlier, replayed from the profiles in a folder.
#include <filesystem>
#include <map>
#include <optional>

#include "core/cost/profile/recorded.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/sim/sim_executor.hpp"
#include "core/text_table.hpp"
#include "experiments/device/device.hpp"
#include "experiments/device/folders.hpp"

namespace opsched {
namespace {

/// One precision. The model is fitted on first use.
struct PrecisionContext {
  Profile profile;
  std::optional<ContentionModel> model;
};

class RecordedDevice final : public Device {
 public:
  explicit RecordedDevice(const DeviceOptions& options)
      : folder_(options.profile.empty() ? default_recorded_folder() : options.profile),
        report_(options.report),
        topology_(options.topology) {
    if (!has_profile(folder_))
      throw Error("'" + folder_ + "' has no profile (" + profile_file(folder_, Precision::fp32) +
                  " or another precision)");
    if (options.late_relu)
      throw Error("--late-relu needs a GPU: a replay has ReLUs where they were when its profile was measured");
    if (options.gpus < 1) throw Error("--gpus " + std::to_string(options.gpus) + ": must be at least 1");
    for (Precision precision : kPrecisions)
      if (has_profile(folder_, precision)) {
        facts_ = profile(precision).device();
        break;
      }
    name_ = std::filesystem::path(folder_).lexically_normal().filename().string();
    if (const LinkCost* link = topology_.stated(LinkKind::network))
      hosts_ = ", hosts of " + std::to_string(topology_.host_devices()) + " GPUs joined by " +
               significant(link->bytes_per_ms / 1e6, 4) + " GB/s and " + significant(link->latency_ms * 1000, 4) +
               " us";
  }

  const DeviceFacts& facts() const override { return facts_; }
  std::string replayed() const override { return "replayed from " + shown_folder() + hosts_; }
  Topology assumed() const override { return topology_; }
  std::string name() const override { return name_; }
  std::string profile_folder() const override { return folder_; }

  std::string cost_key(Precision precision) override {
    const Profile& measured = profile(precision);
    const std::string file = profile_file(folder_, precision);
    std::error_code unknown;
    const auto time = std::filesystem::last_write_time(file, unknown).time_since_epoch().count();
    return std::filesystem::absolute(file).string() + " with " + std::to_string(measured.stages().size()) +
           " stages, written " + std::to_string(time) + hosts_;
  }

  void open(Precision precision) override {
    if (has_profile(folder_, precision)) profile(precision);
  }

  void require(int gpus, Precision precision) override {
    if (!has_profile(folder_, precision))
      throw Error("nothing is recorded in " + to_string(precision) + ": there is no " +
                  profile_file(folder_, precision));
    if (gpus > 1 && !profile(precision).has_transfers())
      throw Error("no transfers between GPUs are recorded in " + profile_file(folder_, precision) +
                  "; choose a folder of several GPUs with --profile, such as results/h200-x2");
  }

  std::unique_ptr<CostModel> costs(const Graph& graph, Precision precision) override {
    require(1, precision);
    return std::make_unique<RecordedCost>(graph, profile(precision), model(precision));
  }

  std::unique_ptr<Executor> executor(CostModel& costs, const Schedule& schedule, Precision precision, std::uint64_t,
                                     Waits) override {
    return make_sim_executor(costs, schedule, &profile(precision));
  }

  void keep(CostModel&, const Schedule&, const records::Case&, const Measurement&) override {}

  std::unique_ptr<CoRunTuner> co_run_tuner(std::vector<CoRunSchedule>, Precision) override {
    throw Error("choosing kernels by running them needs a GPU, and " + shown_folder() + " is a recording");
  }

  void save() override {}

 private:
  /// Relative to the current folder if the path lies below it.
  std::string shown_folder() const {
    const std::filesystem::path relative = std::filesystem::proximate(folder_);
    return *relative.begin() == ".." ? folder_ : relative.string();
  }

  const Profile& profile(Precision precision) {
    std::unique_ptr<PrecisionContext>& context = contexts_[precision];
    if (context) return context->profile;
    const std::string file = profile_file(folder_, precision);
    Profile profile = Profile::load(file);
    try {
      profile.require_precision(precision);
      if (!facts_.name.empty()) profile.require_device(facts_.name);
    } catch (const Error& e) {
      throw Error(file + ": " + e.what());
    }
    if (topology_ != Topology()) profile.assume(topology_);
    context = std::make_unique<PrecisionContext>(PrecisionContext{std::move(profile), {}});
    return context->profile;
  }

  const ContentionModel& model(Precision precision) {
    const Profile& measured = profile(precision);
    PrecisionContext& context = *contexts_[precision];
    if (!context.model) {
      if (report_) report_("fitting the contention model to " + profile_file(folder_, precision));
      context.model.emplace(ContentionModel::fit(measured));
    }
    return *context.model;
  }

  std::string folder_, name_;
  Report report_;
  Topology topology_;
  std::string hosts_;  ///< description; empty if there is only one
  DeviceFacts facts_;
  std::map<Precision, std::unique_ptr<PrecisionContext>> contexts_;
};

}  // namespace

std::unique_ptr<Device> open_recorded(const DeviceOptions& options) {
  return std::make_unique<RecordedDevice>(options);
}

}  // namespace opsched
