// Library kernel for the project's plain convolution.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_direct.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

class DirectKernel : public Kernel {
 public:
  explicit DirectKernel(const Problem& problem)
      : conv_{conv_geometry(problem), problem.layout, problem.precision == Precision::fp16} {
    weight_bytes_ = conv_direct_weight_bytes(conv_);
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    conv_direct_pack(conv_, weights.weight.data(), weights.bias.data(), packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    conv_direct_launch(conv_, inputs[0], output, weights, stream);
  }
  std::string describe() const override { return kDirectConv; }
  std::string weight_format() const override { return kDirectConv; }

 private:
  DirectConv conv_;
};

}  // namespace

std::unique_ptr<Kernel> build_direct_conv(const Problem& problem, const std::string& name) {
  if (problem.kind != Step::Kind::conv || problem.inputs.size() != 1 || problem.residual ||
      !native::is_plain(problem.pre))
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<DirectKernel>(problem);
}

}  // namespace opsched
