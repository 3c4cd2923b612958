// Library kernel for resizing.
#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "core/runtime/program/resize_taps.hpp"

namespace opsched {
namespace {

bool can_resize(const Problem& problem) { return problem.inputs.size() == 1 && problem.pre == Activation::none; }

int widest(const Problem& problem) {
  return problem.layout == TensorFormat::nhwc ? common_vector(problem, problem.input.c) : 1;
}

/// Keeps the taps of every row and column on the device: they are the same for all runs.
class Resizing : public Native {
 public:
  Resizing(const Problem& problem, const std::string& name, int vector) : Native(problem, name) {
    const auto& resize = std::get<Resize2d>(problem.layer);
    const Shape &in = problem.input, &out = problem.output;
    call_ = {problem.layout,
             problem.precision == Precision::fp16,
             resize.interpolation == Interpolation::linear,
             vector,
             problem.batch,
             in.c,
             in.h,
             in.w,
             out.h,
             out.w};
    std::vector<ResizeTap> taps = resize_taps(resize, 0, in.h, out.h);
    const std::vector<ResizeTap> columns = resize_taps(resize, 1, in.w, out.w);
    taps.insert(taps.end(), columns.begin(), columns.end());
    const std::size_t bytes = taps.size() * sizeof(ResizeTap);
    taps_ = DeviceBuffer(bytes);
    OPSCHED_CUDA(cudaMemcpy(taps_.data(), taps.data(), bytes, cudaMemcpyHostToDevice));
    OPSCHED_CUDA(cudaStreamSynchronize(nullptr));  // a copy from pageable memory may return before it has landed
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void*,
              void*) const override {
    native::resize(stream, call_, inputs[0], free_stride(problem_.inputs[0], problem_.layout),
                   reinterpret_cast<const ResizeTap*>(taps_.data()), output, out_stride());
  }

 private:
  native::ResizeCall call_{};
  DeviceBuffer taps_;
};

}  // namespace

std::vector<std::string> list_resizes(const Problem& problem) {
  std::vector<std::string> names;
  for (int vector = can_resize(problem) ? widest(problem) : 0; vector >= 1; vector /= 2)
    names.push_back("resize/v" + std::to_string(vector));
  return names;
}

std::unique_ptr<Kernel> build_resize(const Problem& problem, const std::string& name) {
  const auto parts = split_name(name);
  const int vector = parts.size() == 2 ? name_number(parts[1], 'v') : 0;
  if (!can_resize(problem) || vector < 1 || widest(problem) % vector != 0)
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<Resizing>(problem, name, vector);
}

}  // namespace opsched
