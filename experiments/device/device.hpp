// Where costs and latencies come from in a run of the program: the GPUs of this host, or what was
// recorded on others.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/cost/cost_model.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/cost/topology.hpp"
#include "core/processes/process_group.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/kernel_refinement.hpp"
#include "experiments/records/record.hpp"

namespace opsched {

/// Activations of a schedule on the device that needs most, bytes.
std::int64_t peak_bytes(const Executor& executor, int devices);

/// Called now and then with what is going on; may throw to stop.
using Report = std::function<void(const std::string&)>;

class Device {
 public:
  virtual ~Device() = default;

  /// What it is, or was when it was recorded, with its versions.
  virtual const DeviceFacts& facts() const = 0;
  /// "replayed from results/h200"; empty where latencies are measured now.
  virtual std::string replayed() const = 0;
  bool measures() const { return replayed().empty(); }
  /// One line: "measured on NVIDIA H200, ..." or "replayed from results/h200 (recorded on ...)".
  std::string describe() const;
  /// The same for records: device, versions, and in the note what is replayed.
  records::Run run() const;
  /// describe(), and before it why there is no GPU, if open_device() looked for one and found none.
  std::string heading() const { return (no_gpu.empty() ? "" : "no GPU: " + no_gpu + "; ") + describe(); }
  std::string no_gpu;
  /// Name of its folder below results/: "h200", "h200-x4"; "h200-kernels12" where the first is of older kernels.
  virtual std::string name() const = 0;
  /// With the profiles that are measured into or replayed.
  virtual std::string profile_folder() const = 0;
  /// Changes when a search on these costs may find another schedule.
  virtual std::string cost_key(Precision precision) = 0;
  /// Opens the profile of a precision, if there is one or it is measured into; else that happens where it is first
  /// needed. Throws Error for one that cannot be used: damaged, or of other versions than what is measured now.
  virtual void open(Precision precision) = 0;
  /// Throws Error unless schedules may use so many devices, in this precision.
  virtual void require(int gpus, Precision precision) = 0;
  /// How its devices are joined, where that is assumed and not what was measured; else as if one host had all.
  virtual Topology assumed() const { return {}; }
  /// Costs of a graph on one of the devices. The graph and this object must outlive it.
  virtual std::unique_ptr<CostModel> costs(const Graph& graph, Precision precision) = 0;
  /// A valid schedule of the costs' graph, ready to run; with weights drawn from `seed`, where values
  /// are computed. The costs and the schedule must outlive it.
  virtual std::unique_ptr<Executor> executor(CostModel& costs, const Schedule& schedule, Precision precision,
                                             std::uint64_t seed, Waits waits = Waits::needed) = 0;
  /// Keeps the measured latency of a whole schedule in the profile, where schedulers that compare whole schedules
  /// find it; nothing where nothing is measured.
  virtual void keep(CostModel& costs, const Schedule& schedule, const records::Case& what,
                    const Measurement& latency) = 0;
  /// Schedules whose kernels are to be refined on this device. Throws Error where nothing is measured, and
  /// for a schedule of several devices.
  virtual std::unique_ptr<CoRunTuner> co_run_tuner(std::vector<CoRunSchedule> schedules, Precision precision) = 0;
  /// Writes what was measured to the profile. (A journal beside it has it already.)
  virtual void save() = 0;
};

/// A run on a device, or on what was measured on it.
records::Run run_of(const DeviceFacts& device);

/// Latency of a valid schedule of `what`; a measured one is kept in the profile.
Measurement time_schedule(Device& device, CostModel& costs, const Schedule& schedule, const records::Case& what);

struct DeviceOptions {
  std::string kind = "auto";   ///< gpu, sim (replay a profile), or auto: gpu where there is one, else sim
  std::string profile{};       ///< folder with the profiles that are replayed or measured into; empty: a default
  std::string results{};       ///< folder of the records; where no profile is named, what is measured goes there, too
  int gpus = 1;                ///< how many will be used
  bool through_host = false;   ///< tensors travel between GPUs by way of host memory
  Report report{};             ///< may be empty
  std::vector<int> gpu_ids{};  ///< GPUs of this host that may be used; empty: all
  Topology topology{};         ///< replays: as if GPUs were joined so
  ProcessGroup* processes = nullptr;  ///< that schedules of several devices run on; nullptr: this one alone
};

/// Throws Error where there is no such device, or no profile in the folder, and for a topology of one that measures.
std::unique_ptr<Device> open_device(const DeviceOptions& options);

/// The two kinds, without a choice. Without CUDA in this build, open_gpu always throws.
std::unique_ptr<Device> open_gpu(const DeviceOptions& options);
std::unique_ptr<Device> open_recorded(const DeviceOptions& options);
/// Can open_gpu find a GPU?
bool has_gpu();
/// Why it cannot, in words; empty if it can.
std::string why_no_gpu();
/// Of the GPUs that it finds.
std::vector<std::string> gpu_names();

}  // namespace opsched
