// Inputs and outputs of a captured program.
#include <cuda_fp16.h>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/graph/captured_program.hpp"

namespace opsched {
namespace {

std::string text(const Shape& s) { return std::to_string(s.c) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w); }

/// Calls f(index in a dense NCHW tensor, index in the buffer) for every element of a view.
template <class F>
void for_each_element(const View& view, const Program& program, Precision precision, F f) {
  const Shape shape = shape_of(program, view);
  const Shape& whole = program.buffers[view.buffer].shape;
  const TensorFormat layout = preferred_format(precision);
  const TensorLayout strides = slice_layout(whole, view.channel, view.channels, layout, 1, view.region);
  const std::int64_t first = slice_offset(whole, view.channel, layout, 1, view.region);
  std::int64_t dense = 0;
  for (int n = 0; n < view.region.images.size(); ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int h = 0; h < shape.h; ++h)
        for (int w = 0; w < shape.w; ++w)
          f(dense++, first + n * whole.size() + c * strides.c + h * strides.h + w * strides.w);
}

/// A buffer's content on the host, as floats.
class HostCopy {
 public:
  HostCopy(const Buffer& buffer, char* arena, Precision precision)
      : target_(arena + buffer.offset), half_(precision == Precision::fp16) {
    bytes_.resize(static_cast<std::size_t>(buffer.images * buffer.shape.size() * element_bytes(precision)));
    OPSCHED_CUDA(cudaMemcpy(bytes_.data(), target_, bytes_.size(), cudaMemcpyDeviceToHost));
  }
  float get(std::int64_t i) const {
    if (half_) return __half2float(reinterpret_cast<const __half*>(bytes_.data())[i]);
    return reinterpret_cast<const float*>(bytes_.data())[i];
  }
  void set(std::int64_t i, float value) {
    if (half_)
      reinterpret_cast<__half*>(bytes_.data())[i] = __float2half(value);
    else
      reinterpret_cast<float*>(bytes_.data())[i] = value;
  }
  void write_back() { OPSCHED_CUDA(cudaMemcpy(target_, bytes_.data(), bytes_.size(), cudaMemcpyHostToDevice)); }

 private:
  char* target_;
  bool half_;
  std::vector<char> bytes_;
};

}  // namespace

// upload() and download() go through a host copy of the whole buffer: there are few inputs and outputs, and a view may
// be a slice of any layout.
void CapturedProgram::upload(const View& view, const Tensor& tensor) {
  const Buffer& buffer = program_.buffers[view.buffer];
  devices_[buffer.device]->activate();
  const int batch = view.region.images.size();
  if (tensor.n != batch || tensor.shape != shape_of(program_, view))
    throw Error("input tensor: expected batch " + std::to_string(batch) + " of " + text(shape_of(program_, view)) +
                ", got batch " + std::to_string(tensor.n) + " of " + text(tensor.shape));
  HostCopy host(buffer, arenas_[buffer.device], precision_);
  for_each_element(view, program_, precision_,
                   [&](std::int64_t dense, std::int64_t placed) { host.set(placed, tensor.data[dense]); });
  const View padding{view.buffer, buffer.shape.c - buffer.padding, buffer.padding, all_of(buffer)};
  for_each_element(padding, program_, precision_, [&](std::int64_t, std::int64_t placed) { host.set(placed, 0); });
  host.write_back();
}

DenseSlice CapturedProgram::slice(const View& view) const {
  const Shape& whole = program_.buffers[view.buffer].shape;
  const TensorLayout strides =
      slice_layout(whole, view.channel, view.channels, preferred_format(precision_), 1, view.region);
  return {.data = address(view),
          .half = precision_ == Precision::fp16,
          .batch = view.region.images.size(),
          .shape = shape_of(program_, view),
          .n = whole.size(),
          .c = strides.c,
          .h = strides.h,
          .w = strides.w};
}

bool CapturedProgram::reaches(const View& view) const {
  return program_.buffers[view.buffer].device == 0 || !route_.through_host;
}

Tensor CapturedProgram::download(const View& view) const {
  const Buffer& buffer = program_.buffers[view.buffer];
  devices_[buffer.device]->activate();
  const HostCopy host(buffer, arenas_[buffer.device], precision_);
  Tensor tensor{.n = view.region.images.size(), .shape = shape_of(program_, view), .data = {}};
  tensor.data.resize(static_cast<std::size_t>(tensor.n * tensor.shape.size()));
  for_each_element(view, program_, precision_,
                   [&](std::int64_t dense, std::int64_t placed) { tensor.data[dense] = host.get(placed); });
  return tensor;
}

}  // namespace opsched
