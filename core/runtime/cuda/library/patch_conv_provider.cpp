// Library kernels for the project's convolutions that keep their whole input in shared memory.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_patch.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

bool possible(const Problem& problem) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  return conv.groups == 1 && problem.inputs.size() == 1 && !problem.affine && native::is_plain(problem.pre) &&
         has_light_end(problem) && problem.layout == TensorFormat::nhwc && problem.precision != Precision::fp32 &&
         (problem.input.c <= kConvThinChannels || row_alignment(problem.inputs[0], problem) == 16);
}

class PatchConv : public Kernel {
 public:
  PatchConv(const Problem& problem, std::string name, const PatchTile& tile, const LaunchStyle& style)
      : problem_(problem), name_(std::move(name)), geometry_(conv_geometry(problem)), tile_(tile), style_(style) {
    weight_bytes_ = aligned(conv_patch_weight_bytes(geometry_, problem.precision));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    conv_patch_pack(geometry_, problem_.precision, weights.weight.data(), weights.bias.data(), packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    conv_patch_launch(geometry_, problem_.precision, tile_, row_alignment(problem_.result, problem_), inputs[0], output,
                      weights, stream, style_, conv_residual(problem_, inputs));
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "patch"; }

 private:
  Problem problem_;
  std::string name_;
  ConvGeometry geometry_;
  PatchTile tile_;
  LaunchStyle style_;
};

}  // namespace

std::vector<std::string> list_patch_convs(const Problem& problem) {
  std::vector<std::string> names;
  if (!possible(problem)) return names;
  for (const PatchTile& tile : conv_patch_tiles(conv_geometry(problem), problem.precision))
    names.push_back("patch/c" + std::to_string(tile.channels) + "/r" + std::to_string(tile.rows) + "/w" +
                    std::to_string(tile.warps));
  return names;
}

std::unique_ptr<Kernel> build_patch_conv(const Problem& problem, const std::string& name) {
  const auto [plain, style] = split_style(name);
  const auto parts = split_name(plain);
  if (!possible(problem) || parts.size() != 4 || parts[0] != "patch")
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<PatchConv>(
      problem, name, PatchTile{name_number(parts[1], 'c'), name_number(parts[2], 'r'), name_number(parts[3], 'w')},
      style);
}

}  // namespace opsched
