// The source of costs and latencies in a run of the program: GPUs of this host, or measurements recorded on others.
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

/// Called from time to time with a status; may throw to stop.
using Report = std::function<void(const std::string&)>;

class Device {
 public:
  virtual ~Device() = default;

  /// What it is, or was when it was recorded, with its versions.
  virtual const DeviceFacts& facts() const = 0;
  /// "replayed from results/h200"; empty if latencies are measured now.
  virtual std::string replayed() const = 0;
  bool measures() const { return replayed().empty(); }
  /// One line: "measured on NVIDIA H200, ..." or "replayed from results/h200 (recorded on ...)".
  std::string describe() const;
  /// The same for records: device, versions, and in the note what is replayed.
  records::Run run() const;
  /// describe(), preceded by why there is no GPU if open_device() looked for one and found none.
  std::string heading() const { return (no_gpu.empty() ? "" : "no GPU: " + no_gpu + "; ") + describe(); }
  std::string no_gpu;
  /// Name of its folder in results/: "h200", "h200-x4"; "h200-kernels12" if the first has older kernels.
  virtual std::string name() const = 0;
  /// With the profiles that are measured into or replayed.
  virtual std::string profile_folder() const = 0;
  /// Changes when a search on these costs may find a different schedule.
  virtual std::string cost_key(Precision precision) = 0;
  /// Opens the profile of a precision, if there is one or it is measured into; else that happens where it is first
  /// needed. Throws Error for one that cannot be used: damaged, or of other versions than what is measured now.
  virtual void open(Precision precision) = 0;
  /// Throws Error unless schedules may use this many devices in this precision.
  virtual void require(int gpus, Precision precision) = 0;
  /// How its devices are joined, where that is assumed and not what was measured; else as if one host had all.
  virtual Topology assumed() const { return {}; }
  /// Costs of a graph on one of the devices, as the device runs the graph (measured_graph): with early ReLU, except in
  /// profiles of older kernels. The graph and this object must outlive it.
  virtual std::unique_ptr<CostModel> costs(const Graph& graph, Precision precision) = 0;
  /// A valid schedule of the costs' graph, ready to run; with weights drawn from `seed`, where values
  /// are computed. The costs and the schedule must outlive it.
  virtual std::unique_ptr<Executor> executor(CostModel& costs, const Schedule& schedule, Precision precision,
                                             std::uint64_t seed, Waits waits = Waits::needed) = 0;
  /// Stores the measured latency of a whole schedule in the profile, where schedulers that compare whole schedules
  /// find it. Does nothing if the device does not measure.
  virtual void keep(CostModel& costs, const Schedule& schedule, const records::Case& what,
                    const Measurement& latency) = 0;
  /// Schedules whose kernels are to be tuned on this device. Throws Error if the device does not measure, and for a
  /// schedule of several devices.
  virtual std::unique_ptr<CoRunTuner> co_run_tuner(std::vector<CoRunSchedule> schedules, Precision precision) = 0;
  /// Writes the measurements to the profile. (They are already in its journal.)
  virtual void save() = 0;
};

/// A run on a device, or on what was measured on it.
records::Run run_of(const DeviceFacts& device);

/// Latency of a valid schedule of `what`; a measured one is kept in the profile.
Measurement time_schedule(Device& device, CostModel& costs, const Schedule& schedule, const records::Case& what);

struct DeviceOptions {
  std::string kind = "auto";          ///< gpu, sim (replay a profile), or auto: gpu if there is one, otherwise sim
  std::string profile{};              ///< folder with the profiles that are replayed or measured into; empty: a default
  std::string results{};              ///< folder of the records; if no profile is given, measurements go there, too
  int gpus = 1;                       ///< how many will be used
  bool through_host = false;          ///< transfer tensors between GPUs through host memory
  bool late_relu = false;             ///< measure graphs without early ReLU (measured_graph), in a profile of their own
  Report report{};                    ///< may be empty
  std::vector<int> gpu_ids{};         ///< GPUs of this host that may be used; empty: all
  Topology topology{};                ///< replays: assumed topology of the GPUs
  ProcessGroup* processes = nullptr;  ///< that schedules of several devices run on; nullptr: this one alone
};

/// Throws Error if there is no such device, no profile in the folder, a topology is given for a device that measures,
/// or late ReLU is asked of a replay.
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
