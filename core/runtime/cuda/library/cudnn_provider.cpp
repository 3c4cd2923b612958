// Convolutions by cuDNN. There are three ways to express the same problem, because engines differ in the patterns that
// they support: convolution + bias + activation; the same with a second summand, the pattern of
// cudnnConvolutionBiasActivationForward; and the bare convolution, finished by a kernel of this project. The summand is
// the residual; without one, its weight is 0. Only this pattern adds residuals.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/library/cudnn_graph.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

using cudnn::Descriptor;
using cudnn::make_tensor;

enum class Pattern { fused, summand, bare };
constexpr std::pair<Pattern, const char*> kPatterns[] = {
    {Pattern::fused, "fused"}, {Pattern::summand, "summand"}, {Pattern::bare, "bare"}};

// How many engines of a pattern compete, counted from the top of a heuristic's ranking. All of them are built and
// measured, so these limits bound the tuner's time. Engines that are compiled when built take 0.05 to 2 s each, one at
// a time whatever the number of threads (fp16 with an activation other than ReLU, cuDNN 9.19 on an H200).
constexpr cudnn::Most kMostA{8, 3}, kMostB{4, 0}, kMostFallback{5, 5}, kMostSmall{1, 1};

enum Id : std::int64_t { kX = 1, kW, kY, kBias, kZ, kConvOut, kSumOut, kBiasOut };

std::array<std::int64_t, 4> dims_of(std::int64_t n, const Shape& s) { return {n, s.c, s.h, s.w}; }
std::array<std::int64_t, 4> strides_of(const TensorLayout& t) { return {t.n, t.c, t.h, t.w}; }

/// An element-wise operation and its parameters.
struct Pointwise {
  cudnnPointwiseMode_t mode;
  std::vector<std::pair<cudnnBackendAttributeName_t, double>> parameters{};
};

/// cuDNN's operation for an activation, if there is one.
std::optional<Pointwise> pointwise_of(const Activation& act) {
  switch (act.kind) {
    case Activation::relu:
      return Pointwise{CUDNN_POINTWISE_RELU_FWD};
    case Activation::clip:
      if (act.a != 0 || !(act.b > 0)) return std::nullopt;
      return Pointwise{CUDNN_POINTWISE_RELU_FWD, {{CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, act.b}}};
    case Activation::leaky_relu:
      return Pointwise{CUDNN_POINTWISE_RELU_FWD, {{CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, act.a}}};
    case Activation::tanh:
      return Pointwise{CUDNN_POINTWISE_TANH_FWD};
    case Activation::sigmoid:
      return Pointwise{CUDNN_POINTWISE_SIGMOID_FWD};
    case Activation::silu:
      return Pointwise{CUDNN_POINTWISE_SWISH_FWD, {{CUDNN_ATTR_POINTWISE_SWISH_BETA, 1}}};
    case Activation::elu:
      return Pointwise{CUDNN_POINTWISE_ELU_FWD, {{CUDNN_ATTR_POINTWISE_ELU_ALPHA, act.a}}};
    case Activation::gelu:
      return Pointwise{CUDNN_POINTWISE_GELU_FWD};
    case Activation::softplus:
      return Pointwise{CUDNN_POINTWISE_SOFTPLUS_FWD, {{CUDNN_ATTR_POINTWISE_SOFTPLUS_BETA, 1}}};
    default:
      return std::nullopt;
  }
}

Descriptor pointwise(const Pointwise& what, const Descriptor& x, const Descriptor* b, const Descriptor& y,
                     float alpha2) {
  const cudnnDataType_t math = CUDNN_DATA_FLOAT;
  const float one = 1.f;
  Descriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  how.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &what.mode);
  how.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &math);
  for (const auto& [name, value] : what.parameters) how.set(name, CUDNN_TYPE_DOUBLE, 1, &value);
  how.finalize();
  Descriptor op(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b) op.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, CUDNN_TYPE_FLOAT, 1, &one);
  if (b) op.set(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, CUDNN_TYPE_FLOAT, 1, &alpha2);
  op.finalize();
  return op;
}

/// The operation graph. The bare pattern writes a dense tensor; the others write the problem's output.
Descriptor operation_graph(const Problem& p, Pattern pattern, const cudnn::Handle& handle) {
  const auto& conv = std::get<Conv2d>(p.layer);
  const cudnnDataType_t type = p.precision == Precision::fp16 ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
  const cudnnDataType_t math = CUDNN_DATA_FLOAT;
  const Shape filter{p.input.c / conv.groups, conv.kernel[0], conv.kernel[1]};
  const TensorLayout filter_layout = dense_layout(filter, p.layout);
  const TensorLayout dense = dense_layout(p.output, p.layout);
  const auto out_dims = dims_of(p.batch, p.output);
  const std::optional<Pointwise> act = pointwise_of(last_act(p));

  const Descriptor x =
      make_tensor({kX, type, dims_of(p.batch, p.input), strides_of(p.inputs[0]), p.inputs[0].alignment});
  const Descriptor w = make_tensor({kW, type, dims_of(conv.out_channels, filter), strides_of(filter_layout)});
  const auto inner = [&](Id id) {
    return make_tensor({id, CUDNN_DATA_FLOAT, out_dims, strides_of(dense), 16, /*is_virtual=*/true});
  };
  const Descriptor y = pattern == Pattern::bare
                           ? make_tensor({kY, type, out_dims, strides_of(dense)})
                           : make_tensor({kY, type, out_dims, strides_of(p.result), p.result.alignment});
  const Descriptor conv_out = pattern == Pattern::bare ? y : inner(kConvOut);

  Descriptor how(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const std::int64_t two[] = {2}, dilation[] = {conv.dilation[0], conv.dilation[1]};
  const std::int64_t stride[] = {conv.stride[0], conv.stride[1]}, padding[] = {conv.padding[0], conv.padding[1]};
  const std::int64_t end_padding[] = {padding[0] + conv.more_padding[0], padding[1] + conv.more_padding[1]};
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  how.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &math);
  how.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  how.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, two);
  how.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
  how.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, end_padding);
  how.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilation);
  how.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, stride);
  how.finalize();

  std::vector<Descriptor> ops;
  Descriptor& convolve = ops.emplace_back(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  const float one = 1.f, zero = 0.f;
  convolve.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, how);
  convolve.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
  convolve.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
  convolve.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, conv_out);
  convolve.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
  convolve.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
  convolve.finalize();

  if (pattern != Pattern::bare) {
    const std::int64_t k = conv.out_channels;
    const Descriptor bias =
        make_tensor({kBias, type, {1, k, 1, 1}, strides_of(dense_layout({conv.out_channels, 1, 1}, p.layout))});
    Descriptor summed = conv_out;
    if (pattern == Pattern::summand) {
      const TensorLayout& summand = p.residual.value_or(p.result);
      const Descriptor z = make_tensor({kZ, type, out_dims, strides_of(summand), summand.alignment});
      summed = inner(kSumOut);
      ops.push_back(pointwise({CUDNN_POINTWISE_ADD}, conv_out, &z, summed, p.residual ? 1.f : 0.f));
    }
    const Descriptor biased = act ? inner(kBiasOut) : y;
    ops.push_back(pointwise({CUDNN_POINTWISE_ADD}, summed, &bias, biased, 1.f));
    if (act) ops.push_back(pointwise(*act, biased, nullptr, y, 0.f));
  }

  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  const cudnnHandle_t raw = handle.get();
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &raw);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const Descriptor>(ops));
  graph.finalize();
  return graph;
}

class CudnnConv : public Kernel {
 public:
  CudnnConv(const Problem& problem, std::string name, Pattern pattern, Descriptor plan, Site site)
      : problem_(problem),
        name_(std::move(name)),
        pattern_(pattern),
        place_(packed_conv(problem)),
        plan_(std::move(plan)),
        site_(std::move(site)) {
    weight_bytes_ = place_.bytes;
    if (pattern == Pattern::bare)
      dense_bytes_ = aligned(problem.batch * problem.output.size() * element_bytes(problem.precision));
    workspace_bytes_ = dense_bytes_ + plan_.get_int64(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    if (workspace_bytes_ - dense_bytes_ > kMaxWorkspace) throw Error("needs too much workspace");
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override { return pack_conv(problem_, weights); }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    std::byte* const scratch = static_cast<std::byte*>(workspace);
    std::byte* const packed = const_cast<std::byte*>(static_cast<const std::byte*>(weights));
    const bool bare = pattern_ == Pattern::bare;
    std::vector<std::int64_t> ids{kX, kW, kY};
    std::vector<void*> pointers{const_cast<void*>(inputs[0]), packed, bare ? scratch : output};
    if (!bare) {
      ids.push_back(kBias);
      pointers.push_back(packed + place_.bias);
    }
    if (pattern_ == Pattern::summand) {  // with a weight of 0, any readable memory of that size would do
      ids.push_back(kZ);
      pointers.push_back(problem_.residual ? const_cast<void*>(inputs.back()) : output);
    }
    void* plan_workspace = scratch + dense_bytes_;
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(ids));
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, static_cast<std::int64_t>(pointers.size()),
             pointers.data());
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &plan_workspace);
    pack.finalize();
    {
      const std::lock_guard lock(site_->mutex);
      cudnn::check(cudnnSetStream(site_->handle->get(), stream), "cudnnSetStream");
      cudnn::check(cudnnBackendExecute(site_->handle->get(), plan_.get(), pack.get()), "cudnnBackendExecute");
    }
    if (bare) {
      finish_conv(stream, problem_, scratch, reinterpret_cast<const float*>(packed + place_.float_bias), output);
    }
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "library " + to_string(problem_.layout); }

 private:
  Problem problem_;
  std::string name_;
  Pattern pattern_;
  PackedConv place_;
  std::size_t dense_bytes_ = 0;
  Descriptor plan_;
  Site site_;
};

/// Does cudnnConvolutionBiasActivationForward support the activation?
bool is_classic(const Activation& act) { return act == Activation::none || act == Activation::relu; }

/// Does every vector of 16 bytes of a tensor begin at a multiple of 16?
bool is_wide(const TensorLayout& t, int element) {
  const auto fits = [&](std::int64_t stride) { return stride == 1 || stride * element % 16 == 0; };
  return t.alignment >= 16 && fits(t.n) && fits(t.c) && fits(t.h) && fits(t.w);
}

/// Can cuDNN apply the activation after a convolution? Except for ReLU, its kernels store 16 bytes at a time whatever
/// the output's layout (cuDNN 9.19).
bool can_fuse(const Problem& problem) {
  const Activation& act = std::get<Conv2d>(problem.layer).act;
  if (is_classic(act)) return true;
  const int element = element_bytes(problem.precision);
  return pointwise_of(act) && is_wide(problem.result, element) && problem.output.c * element % 16 == 0;
}

/// Can the pattern express the problem?
bool supports(const Problem& problem, Pattern pattern) {
  if (problem.residual && (pattern != Pattern::summand || std::get<Conv2d>(problem.layer).act != Activation::none))
    return false;
  return pattern != Pattern::summand || is_classic(last_act(problem));
}

std::vector<cudnnBackendNumericalNote_t> unwanted_notes(Precision precision) {
  std::vector<cudnnBackendNumericalNote_t> notes{CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION};
  if (precision != Precision::fp16) notes.push_back(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  if (precision == Precision::fp32) notes.push_back(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  return notes;
}

}  // namespace

bool leaves_sms_free(const std::string& kernel) { return kernel.find('@') != std::string::npos; }

std::vector<std::string> list_cudnn_convs(const Problem& problem, const KernelSite& site,
                                          const cudnn::Handle& builder) {
  std::vector<std::string> names, small;
  // In fp32 without tensor cores, some of its kernels for NHWC read outside their tensors (cuDNN 9.19).
  if (problem.precision == Precision::tf32x3) return names;
  const auto notes = unwanted_notes(problem.precision);
  const auto& conv = std::get<Conv2d>(problem.layer);
  for (int d : {0, 1})
    if (conv.padding[d] < 0 || conv.padding[d] + conv.more_padding[d] < 0)
      return names;  // cuDNN has no negative padding
  for (const auto& [pattern, pattern_name] : kPatterns) {
    if (!supports(problem, pattern) || (pattern == Pattern::fused && !can_fuse(problem))) continue;
    Descriptor graph;
    try {
      graph = operation_graph(problem, pattern, builder);
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error&) {
      continue;  // cuDNN cannot express the problem in this pattern
    }
    const auto add = [&](std::vector<std::string>& to, std::span<const cudnn::EngineChoice> choices) {
      for (const auto& choice : choices) {
        std::string name = std::string("cudnn/") + pattern_name + "/" + to_string(choice);
        if (std::ranges::find(to, name) == to.end()) to.push_back(std::move(name));
      }
    };
    std::vector<cudnn::EngineChoice> proposed = cudnn::propose(graph, CUDNN_HEUR_MODE_A, kMostA, notes);
    for (auto& choice : cudnn::propose(graph, CUDNN_HEUR_MODE_B, kMostB, notes)) proposed.push_back(std::move(choice));
    // These engines always work, but are seldom fast.
    if (proposed.empty()) proposed = cudnn::propose(graph, CUDNN_HEUR_MODE_FALLBACK, kMostFallback, notes);
    add(names, proposed);
    for (int part : {2, 4})
      add(small, cudnn::propose(graph, CUDNN_HEUR_MODE_A, kMostSmall, notes, site.multiprocessors / part));
  }
  names.insert(names.end(), small.begin(), small.end());
  return names;
}

std::unique_ptr<Kernel> build_cudnn_conv(const Problem& problem, const std::string& name, const Site& site,
                                         const cudnn::Handle& builder) {
  const auto parts = split_name(name);
  for (const auto& [pattern, pattern_name] : kPatterns) {
    if (parts.size() != 3 || parts[1] != pattern_name || !supports(problem, pattern)) continue;
    const Descriptor graph = operation_graph(problem, pattern, builder);
    return std::make_unique<CudnnConv>(problem, name, pattern,
                                       cudnn::build_plan(builder, graph, cudnn::parse_engine_choice(parts[2])), site);
  }
  throw Error("there is no kernel '" + name + "' for " + problem.key());
}

}  // namespace opsched
