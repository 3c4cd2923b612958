#include "core/runtime/cuda/library/kernel_providers.hpp"

#include <cuda_fp16.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/library/cudnn_graph.hpp"
#include "core/tf32.hpp"

namespace opsched {
namespace {

/// Would a dense, aligned copy of the input help a kernel?
bool needs_dense_copy(const Problem& problem) {
  const TensorLayout& in = problem.inputs.front();
  return !is_dense(in, problem.input, problem.layout) && row_alignment(in, problem) < 16;
}

void append(std::vector<std::string>& names, std::vector<std::string> more, const std::string& prefix = "") {
  for (std::string& name : more) names.push_back(prefix + name);
}

/// This project's convolutions, with the activation in the kernel or, if it is not light, after it.
std::vector<std::string> list_our_convs(const Problem& problem, const KernelSite& site) {
  // Activations come before a residual, so they cannot be applied in place afterwards.
  const bool light = problem.residual || native::is_light(std::get<Conv2d>(problem.layer).act);
  const Problem p = light ? problem : before_act(problem);
  std::vector<std::string> names;
  append(names, list_own_convs(p, site), light ? "" : kActPrefix);
  append(names, list_patch_convs(p), light ? "" : kActPrefix);
  append(names, list_wgmma_convs(p, site), light ? "" : kActPrefix);
  append(names, list_special_convs(p, site), light ? "" : kActPrefix);
  if (names.empty() && !p.affine && !p.residual) names.push_back(kDirectConv);  // seldom fast, but it can do everything
  return names;
}

std::vector<std::string> list_convs(const Problem& problem, const Site& site, const cudnn::Handle& builder) {
  if (!native::is_plain(problem.pre)) return {};
  std::vector<std::string> names = list_our_convs(problem, *site);
  if (problem.affine || problem.pre != Activation::none) return names;
  for (auto& name : list_gemm_convs(problem, *site)) names.push_back(std::move(name));
  for (auto& name : list_cudnn_convs(problem, *site, builder)) names.push_back(std::move(name));
  return names;
}

}  // namespace

KernelSite::KernelSite(int device) : device(device) {
  const DeviceScope scope(device);
  cudaDeviceProp properties{};
  OPSCHED_CUDA(cudaGetDeviceProperties(&properties, device));
  name = properties.name;
  multiprocessors = properties.multiProcessorCount;
  shared_bytes = properties.sharedMemPerBlockOptin;
  clusters = properties.major >= 9;
  wgmma = properties.major == 9;
  handle = std::make_unique<cudnn::Handle>();
  if (cublasLtCreate(&lt) != CUBLAS_STATUS_SUCCESS) cuda_failed("cuBLASLt could not be started on GPU " + name);
}

KernelSite::~KernelSite() { cublasLtDestroy(lt); }

std::vector<std::string> list_kernels(const Problem& problem, const Site& site, const cudnn::Handle& builder) {
  if (problem.precision == Precision::fp16 && problem.layout == TensorFormat::nchw)
    throw Error("fp16 runs channels-last only: " + problem.key());
  if (problem.kind == Step::Kind::gather || problem.kind == Step::Kind::multiply) return list_native(problem);
  const bool conv = problem.kind == Step::Kind::conv, sum = problem.inputs.size() > 1;
  const auto list = [&](const Problem& p) {
    if (conv) return list_convs(p, site, builder);
    std::vector<std::string> names = list_native(p);
    const auto* depthwise = std::get_if<Conv2d>(&p.layer);
    if (depthwise && !native::is_light(depthwise->act)) append(names, list_native(before_act(p)), kActPrefix);
    return names;
  };
  std::vector<std::string> names;
  if (!conv || !sum) names = list(problem);
  // A window reads an input several times; a separate sum reads it once.
  const bool pre = problem.affine || problem.pre != Activation::none;
  if (sum || !native::is_plain(problem.pre) || (pre && problem.kind == Step::Kind::resize) ||
      (conv && (pre || needs_dense_copy(problem))))
    append(names, list(after_sum(problem, static_cast<int>(problem.inputs.size()))), kSumPrefix);
  if (problem.residual) append(names, list_kernels(before_residual(problem), site, builder), kAddPrefix);
  return names;
}

std::unique_ptr<Kernel> build_kernel(const Problem& problem, const std::string& name, const Site& site,
                                     const cudnn::Handle& builder) {
  if (name.starts_with(kSumPrefix)) {
    const int count = static_cast<int>(problem.inputs.size());
    const Problem sum = sum_of(problem, count);
    return sum_first(sum, count, build_native(sum, list_native(sum).front()),
                     build_kernel(after_sum(problem, count), name.substr(kSumPrefix.size()), site, builder));
  }
  if (name.starts_with(kAddPrefix) && problem.residual) {
    const Problem add = residual_of(problem);
    return add_last(problem, build_kernel(before_residual(problem), name.substr(kAddPrefix.size()), site, builder),
                    build_native(add, list_native(add).front()));
  }
  if (name.starts_with(kActPrefix) && !problem.residual) {
    const Problem act = act_of(problem);
    return act_last(build_kernel(before_act(problem), name.substr(kActPrefix.size()), site, builder),
                    build_native(act, list_native(act).front()));
  }
  if (name.starts_with("cudnn/")) return build_cudnn_conv(problem, name, site, builder);
  if (name.starts_with("gemm/")) return build_gemm_conv(problem, name, site);
  if (name.starts_with("patch/")) return build_patch_conv(problem, name);
  if (name.starts_with("wgmma/")) return build_wgmma_conv(problem, name, *site);
  if (auto special = build_special_conv(problem, name)) return special;
  if (name == kDirectConv) return build_direct_conv(problem, name);
  if (problem.kind == Step::Kind::conv) return build_own_conv(problem, name);
  return build_native(problem, name);
}

Activation last_act(const Problem& problem) {
  return problem.residual ? problem.post : std::get<Conv2d>(problem.layer).act;
}

std::vector<std::string> split_name(const std::string& name) {
  std::vector<std::string> parts{""};
  for (char c : name) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

int name_number(const std::string& part, char letter) {
  int value = 0;
  const char* end = part.data() + part.size();
  if (part.empty() || part[0] != letter || std::from_chars(part.data() + 1, end, value).ptr != end)
    throw Error("'" + part + "' is not a part of a kernel's name");
  return value;
}

std::int64_t free_stride(const TensorLayout& t, TensorFormat layout) {
  return layout == TensorFormat::nchw ? t.n : t.w;
}

int row_alignment(const TensorLayout& t, const Problem& problem) {
  const std::int64_t stride = free_stride(t, problem.layout) * element_bytes(problem.precision);
  const bool one_row = problem.layout == TensorFormat::nchw && problem.batch == 1;
  int alignment = t.alignment;
  while (!one_row && stride % alignment != 0) alignment /= 2;
  return alignment;
}

int plane_alignment(const TensorLayout& t, const Problem& problem) {
  int alignment = row_alignment(t, problem);
  while (t.c * element_bytes(problem.precision) % alignment != 0) alignment /= 2;
  return alignment;
}

bool has_dense_planes(const Problem& problem) {
  const auto dense = [](const TensorLayout& t, const Shape& s) { return t.c == std::int64_t{s.h} * s.w; };
  return dense(problem.result, problem.output) &&
         std::ranges::all_of(problem.inputs, [&](const TensorLayout& t) { return dense(t, problem.input); });
}

int common_vector(const Problem& problem, std::int64_t extent) {
  int bytes = row_alignment(problem.result, problem);
  for (const TensorLayout& t : problem.inputs) bytes = std::min(bytes, row_alignment(t, problem));
  int vector = bytes / element_bytes(problem.precision);
  while (extent % vector != 0) vector /= 2;
  return vector;
}

bool is_dense(const TensorLayout& t, const Shape& shape, TensorFormat layout) {
  return free_stride(t, layout) == (layout == TensorFormat::nchw ? shape.size() : shape.c);
}

PackedConv packed_conv(const Problem& problem) {
  const std::size_t element = element_bytes(problem.precision);
  const auto& conv = std::get<Conv2d>(problem.layer);
  PackedConv p;
  p.bias = aligned(element * conv.out_channels * (problem.input.c / conv.groups) * conv.kernel[0] * conv.kernel[1]);
  p.float_bias = p.bias + aligned(element * conv.out_channels);
  p.bytes = p.float_bias + aligned(sizeof(float) * conv.out_channels);
  return p;
}

std::vector<std::byte> pack_conv(const Problem& problem, const ConvWeights& weights) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  const PackedConv place = packed_conv(problem);
  std::vector<std::byte> packed(place.bytes);
  const auto put = [&](std::size_t at, std::size_t index, float value, bool weight) {
    if (problem.precision == Precision::fp16) {
      const __half h = __float2half(value);
      std::memcpy(packed.data() + at + index * 2, &h, 2);
    } else {
      if (weight && problem.precision == Precision::tf32) value = round_to_tf32(value);
      std::memcpy(packed.data() + at + index * 4, &value, 4);
    }
  };
  const std::size_t taps = std::size_t(conv.kernel[0]) * conv.kernel[1], depth = problem.input.c / conv.groups;
  std::size_t i = 0;
  for (int k = 0; k < conv.out_channels; ++k)
    for (std::size_t c = 0; c < depth; ++c)
      for (std::size_t t = 0; t < taps; ++t, ++i)
        put(0, problem.layout == TensorFormat::nchw ? i : (k * taps + t) * depth + c, weights.weight[i], true);
  for (int k = 0; k < conv.out_channels; ++k) put(place.bias, k, weights.bias[k], false);
  std::memcpy(packed.data() + place.float_bias, weights.bias.data(), conv.out_channels * sizeof(float));
  return packed;
}

void finish_conv(cudaStream_t stream, const Problem& problem, const void* dense, const float* bias, void* output) {
  const bool nhwc = problem.layout == TensorFormat::nhwc;
  const Shape& s = problem.output;
  const int element = element_bytes(problem.precision);
  // In NCHW the kernel's rows are planes, which must be aligned as well.
  const int alignment = nhwc ? row_alignment(problem.result, problem) : plane_alignment(problem.result, problem);
  std::int64_t vector = alignment / element;
  const std::int64_t extent = nhwc ? s.c : std::int64_t{s.h} * s.w;
  while (extent % vector != 0) vector /= 2;
  const native::GatherCall call{problem.layout,
                                element == 2,
                                static_cast<int>(vector),
                                problem.batch,
                                s.c,
                                s.h,
                                s.w,
                                std::get<Conv2d>(problem.layer).act};
  native::bias_act(stream, call, dense, nhwc ? s.c : s.size(), bias, output,
                   free_stride(problem.result, problem.layout), problem.result.c);
}

}  // namespace opsched
