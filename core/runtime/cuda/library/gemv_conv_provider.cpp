// Library kernel for the project's convolutions of single pixels.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_gemv.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

bool possible(const Problem& problem) {
  // In NCHW, the channels of a pixel lie side by side if its tensor has one row of one element.
  const auto dense = [&](const TensorLayout& t) { return problem.layout == TensorFormat::nhwc || t.c == 1; };
  return problem.inputs.size() == 1 && !problem.affine && native::is_plain(problem.pre) && has_light_end(problem) &&
         dense(problem.inputs[0]) && dense(problem.result) && conv_gemv_supports(conv_geometry(problem));
}

class GemvConv : public Kernel {
 public:
  explicit GemvConv(const Problem& problem)
      : geometry_(conv_geometry(problem)),
        precision_(problem.precision),
        aligned_(row_alignment(problem.inputs[0], problem) == 16) {
    weight_bytes_ = aligned(conv_gemv_weight_bytes(geometry_, precision_));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    conv_gemv_pack(geometry_, precision_, weights, packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    conv_gemv_launch(geometry_, precision_, aligned_, inputs[0], output, weights, stream);
  }
  std::string describe() const override { return kGemvConv; }
  std::string weight_format() const override { return kGemvConv; }

 private:
  ConvGeometry geometry_;
  Precision precision_;
  bool aligned_;
};

}  // namespace

std::vector<std::string> list_gemv_convs(const Problem& problem) {
  return possible(problem) ? std::vector{kGemvConv} : std::vector<std::string>{};
}

std::unique_ptr<Kernel> build_gemv_conv(const Problem& problem, const std::string& name) {
  if (!possible(problem)) throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<GemvConv>(problem);
}

}  // namespace opsched
