// 1x1 convolutions as matrix products by cuBLASLt. In NHWC one product covers the batch and ends in bias and ReLU; a
// kernel of this project applies any other activation in a separate pass. In NCHW there is one product per image, and a
// kernel of this project adds the bias. A residual is the product's summand C, in NHWC only: cuBLASLt adds it before
// bias and ReLU.
#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

constexpr int kProposals = 8;

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    cuda_failed(std::string("cuBLASLt: ") + call + ": " + cublasLtGetStatusString(status));
}

/// Rows aligned to 16 bytes? For others cuBLASLt proposes algorithms that fail (misaligned addresses, tf32, 13.0).
bool takes_residual(const Problem& problem) {
  return std::get<Conv2d>(problem.layer).act == Activation::none && row_alignment(*problem.residual, problem) == 16 &&
         row_alignment(problem.result, problem) == 16;
}

/// Can cuBLASLt do everything behind the product?
bool can_fuse(const Problem& problem) {
  return problem.layout == TensorFormat::nhwc && native::is_plain(last_act(problem)) &&
         (!problem.residual || takes_residual(problem));
}

bool possible(const Problem& problem) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  constexpr std::array<int, 2> one{1, 1}, none{0, 0};
  return conv.kernel == one && conv.stride == one && conv.padding == none && conv.more_padding == none &&
         conv.groups == 1 && problem.inputs.size() == 1 && !problem.affine && problem.pre == Activation::none &&
         (!problem.residual || can_fuse(problem));
}

/// Column-major matrices: in NHWC out^T = W x in^T, so rows are output channels; in NCHW out^T = in^T x W^T for each
/// image, so rows are pixels.
struct Product {
  cublasLtMatmulDescOpaque_t operation{};
  cublasLtMatrixLayoutOpaque_t a{}, b{}, c{}, d{};  ///< c: like d without a residual
  bool fused = false;

  /// Fused: with residual, bias (and ReLU), into the problem's output; otherwise into a dense tensor.
  Product(const Problem& p, bool fused) : fused(fused) {
    const bool nhwc = p.layout == TensorFormat::nhwc;
    const std::int64_t plane = std::int64_t{p.output.h} * p.output.w, depth = p.input.c, k = p.output.c;
    const cudaDataType type = p.precision == Precision::fp16 ? CUDA_R_16F : CUDA_R_32F;
    const cublasComputeType_t compute =
        p.precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const TensorLayout dense = dense_layout(p.output, p.layout);
    const TensorLayout &in = p.inputs[0], &out = fused ? p.result : dense;
    check(cublasLtMatmulDescInit(&operation, compute, CUDA_R_32F), "cublasLtMatmulDescInit");
    if (nhwc) {
      const cublasOperation_t transposed = CUBLAS_OP_T;
      set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
      const std::int64_t pixels = p.batch * plane;
      check(cublasLtMatrixLayoutInit(&a, type, depth, k, depth), "cublasLtMatrixLayoutInit");
      check(cublasLtMatrixLayoutInit(&b, type, depth, pixels, in.w), "cublasLtMatrixLayoutInit");
      check(cublasLtMatrixLayoutInit(&d, type, k, pixels, out.w), "cublasLtMatrixLayoutInit");
      check(cublasLtMatrixLayoutInit(&c, type, k, pixels, p.residual ? p.residual->w : out.w),
            "cublasLtMatrixLayoutInit");
    } else {
      check(cublasLtMatrixLayoutInit(&a, type, plane, depth, in.c), "cublasLtMatrixLayoutInit");
      check(cublasLtMatrixLayoutInit(&b, type, depth, k, depth), "cublasLtMatrixLayoutInit");
      check(cublasLtMatrixLayoutInit(&d, type, plane, k, out.c), "cublasLtMatrixLayoutInit");
      batched(a, p.batch, in.n);
      batched(b, p.batch, 0);
      batched(d, p.batch, out.n);
      c = d;
    }
    if (fused) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE,
          last_act(p) == Activation::relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS);
    }
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) {
    check(cublasLtMatmulDescSetAttribute(&operation, name, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
  }

 private:
  static void batched(cublasLtMatrixLayoutOpaque_t& matrix, std::int32_t batch, std::int64_t stride) {
    check(cublasLtMatrixLayoutSetAttribute(&matrix, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch), "batch");
    check(
        cublasLtMatrixLayoutSetAttribute(&matrix, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride),
        "batch stride");
  }
};

class GemmConv : public Kernel {
 public:
  GemmConv(const Problem& problem, std::string name, bool fused, const cublasLtMatmulAlgo_t& algorithm, Site site)
      : problem_(problem),
        name_(std::move(name)),
        product_(problem, fused),
        algorithm_(algorithm),
        place_(packed_conv(problem)),
        site_(std::move(site)) {
    cublasLtMatmulHeuristicResult_t result{};
    check(cublasLtMatmulAlgoCheck(site_->lt, &product_.operation, &product_.a, &product_.b, &product_.c, &product_.d,
                                  &algorithm_, &result),
          "cublasLtMatmulAlgoCheck");
    if (result.workspaceSize > kMaxWorkspace) throw Error("needs too much workspace");
    lt_workspace_ = result.workspaceSize;
    if (!fused) dense_bytes_ = aligned(problem.batch * problem.output.size() * element_bytes(problem.precision));
    workspace_bytes_ = dense_bytes_ + lt_workspace_;
    weight_bytes_ = place_.bytes;
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override { return pack_conv(problem_, weights); }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    const std::byte* packed = static_cast<const std::byte*>(weights);
    std::byte* scratch = static_cast<std::byte*>(workspace);
    const bool nhwc = problem_.layout == TensorFormat::nhwc;
    const void *a = nhwc ? weights : inputs[0], *b = nhwc ? inputs[0] : weights;
    void* d = product_.fused ? output : scratch;
    Product product = product_;
    if (product.fused) product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, packed + place_.bias);
    const float one = 1.f, beta = problem_.residual ? 1.f : 0.f;
    const void* const c = problem_.residual ? inputs.back() : d;
    check(cublasLtMatmul(site_->lt, &product.operation, &one, a, &product.a, b, &product.b, &beta, c, &product.c, d,
                         &product.d, &algorithm_, scratch + dense_bytes_, lt_workspace_, stream),
          "cublasLtMatmul");
    if (!product.fused) {
      finish_conv(stream, problem_, d, reinterpret_cast<const float*>(packed + place_.float_bias), output);
    }
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "library " + to_string(problem_.layout); }

 private:
  Problem problem_;
  std::string name_;
  Product product_;
  cublasLtMatmulAlgo_t algorithm_;
  PackedConv place_;
  std::size_t dense_bytes_ = 0, lt_workspace_ = 0;
  Site site_;
};

std::string to_hex(const cublasLtMatmulAlgo_t& algorithm) {
  std::string text;
  for (std::uint64_t word : algorithm.data) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  }
  return text;
}

cublasLtMatmulAlgo_t from_hex(const std::string& text) {
  cublasLtMatmulAlgo_t algorithm{};
  constexpr std::size_t kDigits = 16, kWords = std::size(algorithm.data);
  const auto digit = [](char c) { return std::string_view("0123456789abcdef").find(c); };
  if (text.size() != kDigits * kWords ||
      std::ranges::any_of(text, [&](char c) { return digit(c) == std::string::npos; }))
    throw Error("'" + text + "' does not name a cuBLASLt algorithm");
  for (std::size_t i = 0; i < text.size(); ++i)
    algorithm.data[i / kDigits] = algorithm.data[i / kDigits] << 4 | digit(text[i]);
  return algorithm;
}

}  // namespace

std::vector<std::string> list_gemm_convs(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names;
  if (!possible(problem)) return names;
  for (bool fused : {true, false}) {
    if (fused ? !can_fuse(problem) : problem.residual.has_value()) continue;
    try {
      Product product(problem, fused);
      cublasLtMatmulPreferenceOpaque_t preference{};
      check(cublasLtMatmulPreferenceInit(&preference), "cublasLtMatmulPreferenceInit");
      const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
        check(cublasLtMatmulPreferenceSetAttribute(&preference, name, &value, sizeof value), "preference");
      };
      const bool nhwc = problem.layout == TensorFormat::nhwc;
      const std::uint32_t in = problem.inputs[0].alignment, out = fused ? problem.result.alignment : 16;
      prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kMaxWorkspace});
      prefer(nhwc ? CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES : CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, in);
      prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
             problem.residual ? static_cast<std::uint32_t>(problem.residual->alignment) : out);
      prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, out);
      cublasLtMatmulHeuristicResult_t results[kProposals];
      int found = 0;
      check(cublasLtMatmulAlgoGetHeuristic(site.lt, &product.operation, &product.a, &product.b, &product.c, &product.d,
                                           &preference, kProposals, results, &found),
            "cublasLtMatmulAlgoGetHeuristic");
      for (int i = 0; i < found; ++i)
        names.push_back(std::string("gemm/") + (fused ? "fused/" : "bare/") + to_hex(results[i].algo));
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error&) {
      continue;  // cuBLASLt's way of saying that it cannot
    }
  }
  return names;
}

std::unique_ptr<Kernel> build_gemm_conv(const Problem& problem, const std::string& name, const Site& site) {
  const auto parts = split_name(name);
  const bool fused = parts.size() == 3 && parts[1] == "fused";
  if (!possible(problem) || parts.size() != 3 || (!fused && (parts[1] != "bare" || problem.residual)))
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<GemmConv>(problem, name, fused, from_hex(parts[2]), site);
}

}  // namespace opsched
