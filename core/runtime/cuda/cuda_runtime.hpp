// The CUDA back end as seen by the rest of the project. Including it needs no CUDA headers.
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

/// A GPU of this host, with the facts that results must record.
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
  std::string reason;  ///< why no GPU can be used; empty if one can
};
/// Usable GPUs of this host. Having no GPU is not an error.
CudaDevices cuda_devices();

/// Version of this project's kernels and kernel selection. Latencies of different versions must not be mixed.
int kernels_version();

struct CudaOptions {
  Precision precision = Precision::fp32;
  std::string cache_file;       ///< file that stores kernel choices between runs; empty: not stored
  std::vector<int> device_ids;  ///< GPU of each device of a schedule; empty: device d runs on GPU d
  /// Transfer tensors between GPUs through host memory, even if they can access each other's memory. If they cannot,
  /// this happens anyway, and `progress` is told.
  bool through_host = false;
  std::function<void(const std::string&)> progress;  ///< may be empty
};

/// Times a schedule of the graph.
using ScheduleTimer = std::function<ProfileEntry(const Graph& graph, const Schedule& schedule)>;

/// Owns what executors on the same GPUs share: kernel choices, packed weights, streams. Objects created by it must not
/// outlive it.
class CudaRuntime {
 public:
  /// Throws Error if there is no such GPU.
  explicit CudaRuntime(const CudaOptions& options);
  ~CudaRuntime();

  /// GPU of device 0.
  const CudaDevice& device() const;
  Precision precision() const;

  /// Captures the whole schedule, over all its devices, into one CUDA graph. `seed`: for the weights. The graph must
  /// outlive the executor. Throws Error if there are too few GPUs, too little memory, or no kernel for an operator.
  std::unique_ptr<Executor> make_executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed,
                                          Waits waits = Waits::needed);

  /// The same, to be run with the caller's buffers on the caller's stream. Graph and schedule are not needed
  /// afterwards. Throws Error as make_executor does, and if an input or output is on a GPU that device 0's GPU cannot
  /// access.
  std::unique_ptr<CudaInference> make_inference(const Graph& graph, const Schedule& schedule, std::uint64_t seed = 1);

  /// Runs parts of schedules on the GPUs of this process, together with other processes, using NCCL. Each process
  /// needs its own runtime, all with the same precision. `processes` must outlive it. Throws Error if this build has
  /// no NCCL.
  std::unique_ptr<PartRuntime> make_parts(ProcessGroup& processes);

  /// Costs measured on device 0, in barrier mode inside CUDA graphs, as schedules run. Entries of `profile` are not
  /// measured again, and measurements are added to it. Both must outlive it. `several`: times whole schedules of
  /// several devices instead of this process; if empty, this process times them in alternation.
  std::unique_ptr<CostModel> make_cost(const Graph& graph, Profile& profile, const ScheduleTimer& several = {});

  /// Schedules of device 0 whose kernels are to be tuned together. Choices go into the cache file.
  std::unique_ptr<CoRunTuner> make_co_run_tuner(std::vector<CoRunSchedule> members);
  /// kernels_version(), plus a tag that changes with tuned kernels (TuningCache::refinement_tag).
  std::string kernels_version_tag() const;

  /// Measures transfers between the first `gpus` devices that `profile` does not contain, and which copy method is
  /// best at which size. Executors made later use the result.
  void measure_transfers(Profile& profile, int gpus);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace opsched
