// The kernel library: the fastest known kernel for every problem on a GPU.
//
// For convolutions it measures cuDNN's engines, cuBLASLt and kernels of this project. Depthwise convolutions, pools
// and gathers use this project's kernels in their fastest measured variant. Choices are stored in a file, so only the
// first run on a GPU measures.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/library/tuning_cache.hpp"
#include "core/runtime/program/kernel_problem.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched {

/// A kernel for one problem on one device. It holds no memory of a run, so it can be launched on several streams at
/// once, with a separate workspace for each launch.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Scratch memory of a launch; aligned to 256 bytes. It need not be initialised.
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  /// Device memory for the weights; aligned to 256 bytes. 0 without weights.
  std::size_t weight_bytes() const { return weight_bytes_; }
  /// The weights in the kernel's format: weight_bytes() of them, to be copied to the device.
  virtual std::vector<std::byte> pack(const ConvWeights& weights) const = 0;
  /// Enqueues the kernel; can be captured. `inputs`: addresses of the slices, in the problem's order; last that of the
  /// residual, which shares no element with the output.
  virtual void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
                      void* workspace) const = 0;
  /// Name of the kernel: "cudnn/fused/38:2=1", "strip/v4/c2/t128".
  virtual std::string describe() const = 0;
  /// Kernels of one operator with equal formats pack its weights in the same way.
  virtual std::string weight_format() const = 0;

 protected:
  std::size_t workspace_bytes_ = 0, weight_bytes_ = 0;
};

/// Measurements of a problem's candidates, best first.
struct Tuning {
  struct Candidate {
    std::string kernel;
    double ms = 0;        ///< a launch, among many in a row, or in several rows at once if the problem is concurrent
    double error = 0;     ///< relative, L2
    std::string failure;  ///< why it cannot be used; empty if it can
  };
  std::string problem;
  std::vector<Candidate> candidates;
};

/// The best candidate, and those worth trying in schedules: close to the best, or leaving SMs free.
TunedKernel choice_of(const Tuning& tuning);

class KernelLibrary {
 public:
  /// `device`: CUDA device number. `cache_file`: where choices are stored; empty: nowhere. The file may hold choices
  /// for several devices and precisions; files written by another version of the project or of cuDNN are ignored.
  /// `report` is told if the file cannot be read or written (tuning_cache.hpp).
  using Report = std::function<void(const std::string&)>;
  KernelLibrary(int device, const std::string& cache_file, const Report& report = {});
  ~KernelLibrary();
  KernelLibrary(KernelLibrary&&) noexcept;
  KernelLibrary& operator=(KernelLibrary&&) noexcept;

  /// Prepares get() for these problems: choices in the cache are rebuilt, and the others are measured and written to
  /// the cache. `progress` gets status lines; may be empty. Throws Error naming the problem if no kernel works. Do not
  /// run anything else on the device meanwhile.
  void prepare(std::span<const Problem> problems, const std::function<void(const std::string&)>& progress = {});

  /// The kernel for a problem, prepared on demand. The kernel may outlive the library.
  std::shared_ptr<const Kernel> get(const Problem& problem);

  // Choices other than the fastest alone; see kernel_refinement.hpp.

  /// The choice for a prepared problem, and its origin. Throws Error for other problems.
  const TunedKernel& choice(const Problem& problem) const;
  /// Stores it in the cache, and makes get() return its kernel. Throws Error if it cannot be built.
  void choose(const Problem& problem, TunedKernel choice);
  /// Stores it in the cache without changing get().
  void remember(const Problem& problem, TunedKernel choice);
  /// Builds a kernel by name and loads its code. Throws Error if it does not support the problem.
  std::shared_ptr<const Kernel> build(const Problem& problem, const std::string& kernel);
  /// Makes get() return this kernel for the problem, until the next call or the end of this object.
  void use(const Problem& problem, std::shared_ptr<const Kernel> kernel);

  /// Measurements of this object so far (not those read from the cache).
  const std::vector<Tuning>& tunings() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace opsched
