// Library kernels for the project's fp32 convolutions by Winograd's minimal filtering.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_winograd.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

bool possible(const Problem& problem) {
  return problem.layout == TensorFormat::nchw && problem.precision == Precision::fp32 && problem.inputs.size() == 1 &&
         native::is_plain(problem.pre) && has_light_end(problem) && conv_winograd_supports(conv_geometry(problem));
}

class WinogradConv : public Kernel {
 public:
  WinogradConv(const Problem& problem, std::string name, int rows)
      : problem_(problem), name_(std::move(name)), geometry_(conv_geometry(problem)), rows_(rows) {
    weight_bytes_ = aligned(conv_winograd_weight_bytes(geometry_));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    conv_winograd_pack(geometry_, weights, packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    conv_winograd_launch(geometry_, rows_, static_cast<const float*>(inputs[0]), static_cast<float*>(output), weights,
                         stream, conv_residual(problem_, inputs));
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "winograd"; }

 private:
  Problem problem_;
  std::string name_;
  ConvGeometry geometry_;
  int rows_;
};

}  // namespace

std::vector<std::string> list_winograd_convs(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names;
  if (!possible(problem)) return names;
  for (const int rows : conv_winograd_rows(site.shared_bytes)) names.push_back("winograd/r" + std::to_string(rows));
  return names;
}

std::unique_ptr<Kernel> build_winograd_conv(const Problem& problem, const std::string& name) {
  const auto parts = split_name(name);
  if (!possible(problem) || parts.size() != 2 || parts[0] != "winograd")
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<WinogradConv>(problem, name, name_number(parts[1], 'r'));
}

}  // namespace opsched
