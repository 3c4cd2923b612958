// Library kernels for softmax, normalisation and layers that move pixels.
#include "core/error.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

bool can_do(const Problem& problem) { return problem.inputs.size() == 1 && problem.pre == Activation::none; }

class ChannelLayer : public Native {
 public:
  ChannelLayer(const Problem& problem, const std::string& name) : Native(problem, name) {
    const auto strides = [](const TensorLayout& t) { return native::Strides{t.n, t.c, t.h, t.w}; };
    call_ = {
        problem.precision == Precision::fp16, problem.batch,          problem.input.c, problem.input.h, problem.input.w,
        strides(problem.inputs[0]),           strides(problem.result)};
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void*,
              void*) const override {
    if (const auto* pixels = std::get_if<DepthToSpace>(&problem_.layer))
      native::depth_to_space(stream, call_, *pixels, inputs[0], output);
    else if (const auto* row = std::get_if<PixelRow>(&problem_.layer))
      native::pixel_row(stream, call_, *row, inputs[0], output);
    else if (const auto* softmax = std::get_if<Softmax>(&problem_.layer))
      native::softmax(stream, call_, *softmax, inputs[0], output);
    else
      native::normalize(stream, call_, std::get<Normalize>(problem_.layer), inputs[0], output);
  }

 private:
  native::ChannelCall call_{};
};

}  // namespace

std::vector<std::string> list_channel_layers(const Problem& problem) {
  return can_do(problem) ? std::vector<std::string>{"channels"} : std::vector<std::string>{};
}

std::unique_ptr<Kernel> build_channel_layer(const Problem& problem, const std::string& name) {
  if (!can_do(problem)) throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<ChannelLayer>(problem, name);
}

}  // namespace opsched
