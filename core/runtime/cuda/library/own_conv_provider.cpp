// Library kernels for the project's dense convolutions.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_mma.hpp"
#include "core/runtime/cuda/kernels/conv_simt.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

/// conv_simt computes fp32 in NCHW; conv_mma computes the other precisions in NHWC.
bool is_mma(const Problem& problem) {
  return problem.layout == TensorFormat::nhwc && problem.precision != Precision::fp32;
}

/// Grouped convolutions: nothing fused before them and no residual, and vectors of 16 bytes do not cross groups.
/// Depthwise convolutions have kernels of their own.
bool has_possible_groups(const Problem& problem) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  if (conv.groups == 1) return true;
  const auto whole = [&](int channels) {
    return !is_mma(problem) || channels / conv.groups * element_bytes(problem.precision) % 16 == 0;
  };
  return conv.groups < problem.input.c && problem.pre == Activation::none && !problem.residual &&
         whole(problem.input.c) && whole(problem.output.c) &&
         (!is_mma(problem) || row_alignment(problem.inputs[0], problem) >= 16);
}

bool possible(const Problem& problem) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  if (!has_possible_groups(problem) || problem.inputs.size() != 1 || !native::is_plain(problem.pre) ||
      !has_light_end(problem) || (problem.affine && (problem.residual || !is_pointwise(conv))))
    return false;
  if (is_mma(problem))
    return row_alignment(problem.inputs[0], problem) >=
           (problem.affine || problem.residual ? kConvMmaFusedAlignment : kConvMmaAlignment);
  return problem.layout == TensorFormat::nchw && problem.precision == Precision::fp32;
}

class OwnConv : public Kernel {
 public:
  OwnConv(const Problem& problem, const std::string& name, const ConvTile& tile, const LaunchStyle& style)
      : problem_(problem), name_(name), geometry_(conv_geometry(problem)), tile_(tile), style_(style) {
    weight_bytes_ =
        is_mma(problem) ? conv_mma_weight_bytes(geometry_, problem.precision) : conv_simt_weight_bytes(geometry_);
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    if (is_mma(problem_)) {
      conv_mma_pack(geometry_, problem_.precision, weights, packed.data());
    } else {
      conv_simt_pack(geometry_, weights, packed.data());
    }
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    if (is_mma(problem_)) {
      conv_mma_launch(geometry_, problem_.precision, tile_, row_alignment(problem_.inputs[0], problem_),
                      row_alignment(problem_.result, problem_), inputs[0], output, weights, stream, style_,
                      conv_residual(problem_, inputs));
    } else {
      conv_simt_launch(geometry_, tile_, static_cast<const float*>(inputs[0]), static_cast<float*>(output), weights,
                       stream, style_, conv_residual(problem_, inputs));
    }
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override {
    return std::string(problem_.affine ? "affine " : "") +
           (is_mma(problem_) ? "mma" : conv_simt_weight_format(geometry_));
  }

 private:
  Problem problem_;
  std::string name_;
  ConvGeometry geometry_;
  ConvTile tile_;
  LaunchStyle style_;
};

}  // namespace

ConvGeometry conv_geometry(const Problem& problem) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  const bool nhwc = problem.layout == TensorFormat::nhwc;
  const TensorLayout &in = problem.inputs[0], &out = problem.result;
  ConvGeometry g;
  g.batch = problem.batch;
  g.groups = conv.groups;
  g.c = problem.input.c / g.groups, g.h = problem.input.h, g.w = problem.input.w;
  g.k = problem.output.c / g.groups, g.p = problem.output.h, g.q = problem.output.w;
  g.r = conv.kernel[0], g.s = conv.kernel[1];
  g.stride_h = conv.stride[0], g.stride_w = conv.stride[1];
  g.pad_h = conv.padding[0], g.pad_w = conv.padding[1];
  g.in_stride_n = in.n, g.in_stride = nhwc ? in.w : in.c;
  g.out_stride_n = out.n, g.out_stride = nhwc ? out.w : out.c;
  g.pre_relu = problem.pre == Activation::relu;
  g.pre_affine = problem.affine;
  g.act = conv.act;
  g.dilation_h = conv.dilation[0], g.dilation_w = conv.dilation[1];
  if (problem.residual) {
    g.residual = true;
    g.post_relu = problem.post == Activation::relu;
    g.residual_stride_n = problem.residual->n, g.residual_stride = nhwc ? problem.residual->w : problem.residual->c;
  }
  return g;
}

bool has_light_end(const Problem& problem) {
  return native::is_light(std::get<Conv2d>(problem.layer).act) && (!problem.residual || native::is_plain(problem.post));
}

ConvResidual conv_residual(const Problem& problem, std::span<const void* const> inputs) {
  if (!problem.residual) return {};
  return {inputs.back(), row_alignment(*problem.residual, problem)};
}

std::vector<std::string> list_own_convs(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names;
  if (!possible(problem)) return names;
  const ConvGeometry g = conv_geometry(problem);
  const bool mma = is_mma(problem);
  for (const ConvTile& tile : mma ? conv_mma_tiles(problem.affine) : conv_simt_tiles())
    for (int splits : mma ? conv_mma_splits(g, tile, problem.precision, site.multiprocessors, site.clusters)
                          : conv_simt_splits(g, tile, site.multiprocessors, site.clusters))
      names.push_back((mma ? "mma/r" : "simt/r") + std::to_string(tile.rows) + "/c" + std::to_string(tile.columns) +
                      "/s" + std::to_string(splits));
  return names;
}

std::unique_ptr<Kernel> build_own_conv(const Problem& problem, const std::string& name) {
  const auto [plain, style] = split_style(name);
  const auto parts = split_name(plain);
  if (!possible(problem) || parts.size() != 4 || parts[0] != (is_mma(problem) ? "mma" : "simt"))
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<OwnConv>(
      problem, name, ConvTile{name_number(parts[1], 'r'), name_number(parts[2], 'c'), name_number(parts[3], 's')},
      style);
}

}  // namespace opsched
