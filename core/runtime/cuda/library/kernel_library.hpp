// The kernel library: the fastest known kernel for every problem on a GPU.
//
// Convolutions choose between cuDNN's engines, cuBLASLt and kernels of this project by measuring;
// depthwise convolutions, pools and gathers are kernels of this project in the variant that measured
// fastest. Choices are kept in a file, so that only the first run on a GPU measures.
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

/// A kernel for one problem on one device. It holds no memory of a run, so that it may be launched on
/// several streams at once, each launch with a workspace of its own.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Scratch memory of a launch; aligned to 256 bytes. It need not be initialised.
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  /// Device memory for the weights; aligned to 256 bytes. 0 without weights.
  std::size_t weight_bytes() const { return weight_bytes_; }
  /// The weights as the kernel reads them: weight_bytes() of them, to be copied to the device.
  virtual std::vector<std::byte> pack(const ConvWeights& weights) const = 0;
  /// Enqueues the kernel; may be captured. `inputs`: the slices' own addresses, in the problem's order.
  virtual void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
                      void* workspace) const = 0;
  /// What runs: "cudnn/fused/38:2=1", "strip/v4/c2/t128".
  virtual std::string describe() const = 0;
  /// Kernels of one operator whose formats are equal pack its weights equally.
  virtual std::string weight_format() const = 0;

 protected:
  std::size_t workspace_bytes_ = 0, weight_bytes_ = 0;
};

/// How a problem's candidates measured, best first.
struct Tuning {
  struct Candidate {
    std::string kernel;
    double ms = 0;        ///< a launch, among many in a row
    double error = 0;     ///< relative, L2
    std::string failure;  ///< why it cannot be used; empty if it can
  };
  std::string problem;
  std::vector<Candidate> candidates;
};

/// The best candidate, and those that are worth a try beside others: they came close, or leave SMs free.
TunedKernel choice_of(const Tuning& tuning);

class KernelLibrary {
 public:
  /// `device`: CUDA's number of the GPU. `cache_file`: where choices are kept; empty: nowhere. The file
  /// may hold choices for several devices and precisions; one written by another version of the
  /// project or of cuDNN is ignored. `report` hears if the file cannot be read or written (tuning_cache.hpp).
  using Report = std::function<void(const std::string&)>;
  KernelLibrary(int device, const std::string& cache_file, const Report& report = {});
  ~KernelLibrary();
  KernelLibrary(KernelLibrary&&) noexcept;
  KernelLibrary& operator=(KernelLibrary&&) noexcept;

  /// Makes get() ready for these problems: what the cache knows is rebuilt, the rest is measured, then
  /// written to the cache. `progress` hears lines for people; it may be empty. Throws Error naming the
  /// problem if no kernel works. Do not run anything else on the device meanwhile.
  void prepare(std::span<const Problem> problems, const std::function<void(const std::string&)>& progress = {});

  /// The kernel for a problem, prepared on the spot if need be. The kernel may outlive the library.
  std::shared_ptr<const Kernel> get(const Problem& problem);

  // Other choices than the fastest alone; see kernel_refinement.hpp.

  /// The choice for a prepared problem, and where it comes from. Throws Error for others.
  const TunedKernel& choice(const Problem& problem) const;
  /// Keeps it in the cache, and get() returns its kernel from now on. Throws Error if it cannot be built.
  void choose(const Problem& problem, TunedKernel choice);
  /// Keeps it in the cache; get() returns what it did.
  void remember(const Problem& problem, TunedKernel choice);
  /// Builds a kernel by name and loads its code. Throws Error if it cannot do the problem.
  std::shared_ptr<const Kernel> build(const Problem& problem, const std::string& kernel);
  /// get() returns this kernel for the problem, until the next call or the end of this object.
  void use(const Problem& problem, std::shared_ptr<const Kernel> kernel);

  /// What this object measured so far (not what it read from the cache).
  const std::vector<Tuning>& tunings() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace opsched
