// The providers of kernels. A kernel has a short name which, together with its problem, is enough to rebuild it. The
// tuning cache stores these names.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/launch_style.hpp"
#include "core/runtime/cuda/kernels/native_kernels.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"

namespace opsched {

namespace cudnn {
class Handle;
}

/// What kernels need to know about the GPU, and shared library handles. Kernels keep it alive.
struct KernelSite {
  explicit KernelSite(int device);
  ~KernelSite();
  KernelSite(const KernelSite&) = delete;
  KernelSite& operator=(const KernelSite&) = delete;

  int device = 0;
  std::string name;  ///< "NVIDIA H200"
  int multiprocessors = 0;
  std::size_t shared_bytes = 0;  ///< that a block may have
  bool clusters = false;         ///< thread block clusters: sm_90 and newer
  bool wgmma = false;            ///< products of warp groups: sm_90 only

  cublasLtHandle_t lt = nullptr;          ///< may be used by several threads
  std::unique_ptr<cudnn::Handle> handle;  ///< for launches, under the mutex: it holds the stream
  std::mutex mutex;
};
using Site = std::shared_ptr<KernelSite>;

/// Names of the kernels that may solve a problem. `builder` belongs to the calling thread. Nothing is compiled yet, so
/// building some may fail.
std::vector<std::string> list_kernels(const Problem& problem, const Site& site, const cudnn::Handle& builder);
/// Builds a kernel by name. Throws Error if it does not support the problem or the name is unknown.
std::unique_ptr<Kernel> build_kernel(const Problem& problem, const std::string& name, const Site& site,
                                     const cudnn::Handle& builder);

/// Prefix of kernels that first compute what comes before the layer: the sum, the affine layer, the activation.
inline const std::string kSumPrefix = "sum+";
/// Prefix of kernels that apply the activation after a convolution in a separate pass.
inline const std::string kActPrefix = "act+";
/// Prefix of kernels that add the residual, and apply the activation behind it, in a separate pass.
inline const std::string kAddPrefix = "add+";

/// `problem` with its first `count` inputs replaced by their sum in a dense tensor; with all of them,
/// the affine layer and the activation before the layer have happened too.
Problem after_sum(const Problem& problem, int count);
/// The gather (for a product: the product; with an affine layer: that layer) that remains before after_sum.
Problem sum_of(const Problem& problem, int count);
/// Runs `sum` (a kernel for `sum_problem`, which is sum_of) into the workspace, then `rest` (one for after_sum).
std::unique_ptr<Kernel> sum_first(const Problem& sum_problem, int count, std::shared_ptr<const Kernel> sum,
                                  std::shared_ptr<const Kernel> rest);

/// A convolution without its activation, and the gather that this leaves to be done, in place.
Problem before_act(const Problem& problem);
Problem act_of(const Problem& problem);
/// Runs `first` (a kernel for before_act), then `act` (one for act_of).
std::unique_ptr<Kernel> act_last(std::shared_ptr<const Kernel> first, std::shared_ptr<const Kernel> act);

/// The activation of a convolution that comes behind everything else.
Activation last_act(const Problem& problem);
/// Can kernels of any kind store into the output? Then it receives the layer's result before the residual, too, and no
/// workspace limits what runs next to it. Otherwise a dense tensor does.
bool adds_in_place(const Problem& problem);
/// A problem without its residual, and the gather that then adds the residual.
Problem before_residual(const Problem& problem);
Problem residual_of(const Problem& problem);
/// Runs `first` (a kernel for before_residual) into the output or the workspace, then `add` (one for residual_of).
std::unique_ptr<Kernel> add_last(const Problem& problem, std::shared_ptr<const Kernel> first,
                                 std::shared_ptr<const Kernel> add);

// The providers. Each has a list function and a build function. Those that say nothing of residuals refuse them. A
// residual never aliases the output.

/// Depthwise convolutions, pools, gathers and products with up to native::kMaxSources inputs, and resizing of one.
/// Before windows none or relu; any other activation only before depthwise convolutions of the generic variant.
std::vector<std::string> list_native(const Problem& problem);
std::unique_ptr<Kernel> build_native(const Problem& problem, const std::string& name);

/// The project's dense convolutions: one input, none or relu before it, a light activation after it
/// (native_kernels.hpp), and residuals with none or relu behind them. Only these apply an affine layer as they read.
/// Names may end in a launch style (split_style), which is never listed.
std::vector<std::string> list_own_convs(const Problem& problem, const KernelSite& site);
std::unique_ptr<Kernel> build_own_conv(const Problem& problem, const std::string& name);

/// Convolutions that keep all their input in shared memory, not in fp32; same restrictions and launch styles.
std::vector<std::string> list_patch_convs(const Problem& problem);
std::unique_ptr<Kernel> build_patch_conv(const Problem& problem, const std::string& name);

/// Convolutions of large problems on the tensor cores of sm_90, not in fp32; nothing before them. Residuals with none
/// or relu behind them.
std::vector<std::string> list_wgmma_convs(const Problem& problem, const KernelSite& site);
std::unique_ptr<Kernel> build_wgmma_conv(const Problem& problem, const std::string& name, const KernelSite& site);

/// Convolutions in fp32 with certain windows. 1x1 with stride 1, at least 2048 pixels; none or relu before them. 3x3
/// with stride 1, by Winograd's minimal filtering: less than half the multiplications; none or relu before them. Those
/// of up to four channels with 3x3 or 7x7 windows of stride 2; nothing before them, no residual. Null for other names.
std::vector<std::string> list_special_convs(const Problem& problem, const KernelSite& site);
std::unique_ptr<Kernel> build_special_conv(const Problem& problem, const std::string& name);

/// Plain loops for every convolution of one input with none or relu before it.
std::unique_ptr<Kernel> build_direct_conv(const Problem& problem, const std::string& name);
inline const std::string kDirectConv = "direct";

/// cuDNN: one input, nothing before it; residuals with none before and none or relu behind them. Engines for a part of
/// the multiprocessors come last.
std::vector<std::string> list_cudnn_convs(const Problem& problem, const KernelSite& site, const cudnn::Handle& builder);
/// Does this kernel use only a part of the multiprocessors, so that others can run at the same time?
bool leaves_sms_free(const std::string& kernel);
std::unique_ptr<Kernel> build_cudnn_conv(const Problem& problem, const std::string& name, const Site& site,
                                         const cudnn::Handle& builder);

/// 1x1 convolutions of stride 1 as matrix products by cuBLASLt; one input, nothing before it. In NHWC residuals with
/// none before and none or relu behind them.
std::vector<std::string> list_gemm_convs(const Problem& problem, const KernelSite& site);
std::unique_ptr<Kernel> build_gemm_conv(const Problem& problem, const std::string& name, const Site& site);

/// Products, and resizing of one input without an activation: parts of list_native and build_native.
std::unique_ptr<Kernel> build_product(const Problem& problem, const std::string& name);
std::vector<std::string> list_resizes(const Problem& problem);
std::unique_ptr<Kernel> build_resize(const Problem& problem, const std::string& name);
/// Softmax, normalisation and depth to space, of one input without an activation; parts of the same.
std::vector<std::string> list_channel_layers(const Problem& problem);
std::unique_ptr<Kernel> build_channel_layer(const Problem& problem, const std::string& name);

/// A kernel's name without its launch style, and the style. simt/r64/c64/s2/spread1: a multiprocessor holds at most
/// one block more than an even spread needs; simt/r64/c64/s2/late: no early start.
struct StyledName {
  std::string kernel;
  LaunchStyle style;
};
/// Throws Error for a style that does not exist.
StyledName split_style(const std::string& name);
/// The same kernel in every other launch style that is worth a try, including the default; empty if it has no styles.
/// A style does not make a kernel faster alone, so only whole schedules can choose one (kernel_refinement.hpp).
std::vector<LaunchVariant> launch_variants(const std::string& kernel);

// Shared by the providers.

/// A problem with one input, as the project's dense convolutions see it.
ConvGeometry conv_geometry(const Problem& problem);
/// Can the project's convolutions end in the problem's activations? Light ones; behind a residual, none or relu.
bool has_light_end(const Problem& problem);
/// The residual of a problem, whose address is the last of `inputs`, as the project's convolutions take it.
ConvResidual conv_residual(const Problem& problem, std::span<const void* const> inputs);

/// Limit on the workspace of a library kernel: enough for cuDNN's Fourier transforms of large batches.
constexpr std::size_t kMaxWorkspace = std::size_t{512} << 20;
/// Bytes up to the next multiple of 256.
constexpr std::size_t aligned(std::size_t bytes) { return round_up(bytes, 256); }
/// "a/b/c" as {"a", "b", "c"}.
std::vector<std::string> split_name(const std::string& name);
/// The number after a letter: "t128". Throws Error if it is not one.
int name_number(const std::string& part, char letter);
/// The one stride of a tensor that does not follow from its shape: see native_kernels.hpp.
std::int64_t free_stride(const TensorLayout& t, TensorFormat layout);
/// Alignment of every contiguous row of a tensor: a power of two, at most 16 bytes. Rows are images in NCHW, pixels in
/// NHWC.
int row_alignment(const TensorLayout& t, const Problem& problem);
/// Alignment of every channel of an image, in NCHW.
int plane_alignment(const TensorLayout& t, const Problem& problem);
/// In NCHW, are the channels of every tensor contiguous? Not if only some rows of them are read or written.
bool has_dense_planes(const Problem& problem);
/// Elements that can be moved at once in all tensors of a problem, if rows are `extent` long.
int common_vector(const Problem& problem, std::int64_t extent);
bool is_dense(const TensorLayout& t, const Shape& shape, TensorFormat layout);

/// A kernel without weights and workspace, unless stated otherwise.
class Native : public Kernel {
 public:
  Native(const Problem& problem, std::string name) : problem_(problem), name_(std::move(name)) {}
  std::vector<std::byte> pack(const ConvWeights&) const override { return {}; }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "none"; }

 protected:
  std::int64_t out_stride() const { return free_stride(problem_.result, problem_.layout); }
  Problem problem_;
  std::string name_;
};

/// Weights of a dense or grouped convolution for the libraries: [out][in / groups][kh][kw] in NCHW or
/// [out][kh][kw][in / groups] in NHWC, of the storage type (rounded to tf32's in tf32); then the biases
/// of the storage type; then the biases as floats.
struct PackedConv {
  std::size_t bias = 0, float_bias = 0, bytes = 0;  ///< offsets and size
};
PackedConv packed_conv(const Problem& problem);
std::vector<std::byte> pack_conv(const Problem& problem, const ConvWeights& weights);
/// Adds biases and activation to a dense result in the workspace, into the problem's output.
void finish_conv(cudaStream_t stream, const Problem& problem, const void* dense, const float* bias, void* output);

}  // namespace opsched
