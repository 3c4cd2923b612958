// The CUDA back end, as the rest of the project sees it. No CUDA headers needed to include it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "core/cost/profile/profile_entry.hpp"
#include "core/precision.hpp"
#include "core/runtime/cuda/cuda_inference.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/kernel_refinement.hpp"

namespace opsched {

class PartRuntime;
class ProcessGroup;
class Profile;

/// A GPU of this host, with what a result must say about where it came from.
struct CudaDevice {
  int id = 0;
  std::string name;            ///< "NVIDIA H200"
  std::string uuid;            ///< the same in every process that sees it
  int compute_capability = 0;  ///< 90
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0, l2_bytes = 0;
  std::string driver, cuda, cudnn;  ///< versions
};

struct CudaDevices {
  std::vector<CudaDevice> usable;
  std::string reason;  ///< why none can be used, in words; empty if one can
};
/// GPUs of this host that can be used. No GPU is no error.
CudaDevices cuda_devices();

/// Version of this project's kernels, and of how they are chosen. Latencies of two versions do not belong together.
int kernels_version();

struct CudaOptions {
  Precision precision = Precision::fp32;
  std::string cache_file;       ///< kernel choices are kept here between runs; empty: not kept
  std::vector<int> device_ids;  ///< GPU of each device of a schedule; empty: device d runs on GPU d
  /// Move tensors between GPUs by way of host memory, even where they can access each other's. Where they
  /// cannot, this is what happens, and `progress` hears of it.
  bool through_host = false;
  std::function<void(const std::string&)> progress;  ///< may be empty
};

/// Times a schedule of the graph.
using ScheduleTimer = std::function<ProfileEntry(const Graph& graph, const Schedule& schedule)>;

/// Owns what executors on the same GPUs share: kernel choices, packed weights, streams. What it makes must not outlive
/// it.
class CudaRuntime {
 public:
  /// Throws Error if there is no such GPU.
  explicit CudaRuntime(const CudaOptions& options);
  ~CudaRuntime();

  /// GPU of device 0.
  const CudaDevice& device() const;
  Precision precision() const;

  /// Captures the whole schedule, over all its devices, into one CUDA graph. `seed` of the weights. The
  /// graph must outlive the executor. Throws Error where there are too few GPUs, too little memory, or no kernel for an
  /// operator.
  std::unique_ptr<Executor> make_executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed,
                                          Waits waits = Waits::needed);

  /// The same, to be run with the caller's buffers on the caller's stream. Neither graph nor schedule is needed
  /// afterwards. Throws Error as make_executor does, and where an input or output is on a GPU that the first one cannot
  /// access.
  std::unique_ptr<CudaInference> make_inference(const Graph& graph, const Schedule& schedule, std::uint64_t seed = 1);

  /// Runs parts of schedules on the GPUs of this process, together with other processes, by NCCL; of a runtime of its
  /// own in each process, all of one precision. `processes` must outlive it. Throws Error where this build has no NCCL.
  std::unique_ptr<PartRuntime> make_parts(ProcessGroup& processes);

  /// Costs measured on device 0, in barrier mode inside CUDA graphs, as schedules run. What
  /// `profile` knows is not measured again; what is measured goes into it. Both must outlive it. `several`: times whole
  /// schedules of several devices in place of this process; empty: it times them itself, in turn.
  std::unique_ptr<CostModel> make_cost(const Graph& graph, Profile& profile, const ScheduleTimer& several = {});

  /// Schedules of device 0 whose kernels are to be refined. Choices go into the cache file.
  std::unique_ptr<CoRunTuner> make_co_run_tuner(std::vector<CoRunSchedule> members);
  /// kernels_version(), and a tag that changes with the kernels that were refined so (TuningCache::refinement_tag).
  std::string kernels_version_tag() const;

  /// Measures what moving tensors between the first `gpus` devices costs, where `profile` does not know
  /// it yet, and which way of copying is best at which size; executors made later use that.
  void measure_transfers(Profile& profile, int gpus);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace opsched
