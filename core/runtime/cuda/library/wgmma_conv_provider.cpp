// Library kernels for the project's convolutions of large problems on sm_90.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_wgmma.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

bool possible(const Problem& problem, const KernelSite& site) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  return site.wgmma && conv.groups == 1 && problem.inputs.size() == 1 && !problem.affine &&
         problem.pre == Activation::none && has_light_end(problem) && problem.layout == TensorFormat::nhwc &&
         problem.precision != Precision::fp32 && row_alignment(problem.inputs[0], problem) == 16;
}

class WgmmaConv : public Kernel {
 public:
  WgmmaConv(const Problem& problem, std::string name, const WgmmaTile& tile)
      : problem_(problem), name_(std::move(name)), geometry_(conv_geometry(problem)), tile_(tile) {
    weight_bytes_ = aligned(conv_wgmma_weight_bytes(geometry_, problem.precision));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    conv_wgmma_pack(geometry_, problem_.precision, tile_, weights, packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    conv_wgmma_launch(geometry_, problem_.precision, tile_, row_alignment(problem_.result, problem_), inputs[0], output,
                      weights, stream, conv_residual(problem_, inputs));
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "wgmma d" + std::to_string(tile_.depth); }

 private:
  Problem problem_;
  std::string name_;
  ConvGeometry geometry_;
  WgmmaTile tile_;
};

}  // namespace

std::vector<std::string> list_wgmma_convs(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names;
  if (!possible(problem, site)) return names;
  const ConvGeometry g = conv_geometry(problem);
  for (const WgmmaTile& tile : conv_wgmma_tiles(g, problem.precision))
    // Fewer tiles leave multiprocessors idle; then conv_mma, which also splits the sum, is faster.
    if (2 * conv_wgmma_tile_count(g, tile) >= site.multiprocessors)
      names.push_back("wgmma/r" + std::to_string(tile.rows) + "/c" + std::to_string(tile.columns) + "/b" +
                      std::to_string(tile.blocks) + "/d" + std::to_string(tile.depth));
  return names;
}

std::unique_ptr<Kernel> build_wgmma_conv(const Problem& problem, const std::string& name, const KernelSite& site) {
  const auto parts = split_name(name);
  if (!possible(problem, site) || parts.size() != 5 || parts[0] != "wgmma")
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<WgmmaConv>(problem, name,
                                     WgmmaTile{name_number(parts[1], 'r'), name_number(parts[2], 'c'),
                                               name_number(parts[3], 'b'), name_number(parts[4], 'd')});
}

}  // namespace opsched
