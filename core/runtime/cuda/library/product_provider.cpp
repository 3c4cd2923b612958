// Library kernels for products.
#include <algorithm>

#include "core/error.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

/// An axis of a product: its length, and the strides of all tensors along it (the product's first).
struct ProductAxis {
  std::int64_t extent = 1;
  std::vector<std::int64_t> strides;
};

/// Axes from the contiguous one outwards. Neighbouring axes that every tensor traverses with one stride are merged.
std::vector<ProductAxis> product_axes(const Problem& p) {
  std::vector<TensorLayout> tensors{p.result};
  tensors.insert(tensors.end(), p.inputs.begin(), p.inputs.end());
  using Stride = std::int64_t TensorLayout::*;
  const std::pair<Stride, int> c{&TensorLayout::c, p.output.c}, h{&TensorLayout::h, p.output.h},
      w{&TensorLayout::w, p.output.w}, n{&TensorLayout::n, p.batch};
  std::vector<ProductAxis> axes;
  for (const auto& [stride, extent] :
       p.layout == TensorFormat::nhwc ? std::array{c, w, h, n} : std::array{w, h, c, n}) {
    if (extent == 1) continue;
    ProductAxis axis{extent, {}};
    for (const TensorLayout& t : tensors) axis.strides.push_back(t.*stride);
    bool even = !axes.empty();
    for (std::size_t t = 0; even && t < tensors.size(); ++t)
      even = axis.strides[t] == axes.back().strides[t] * axes.back().extent;
    if (even)
      axes.back().extent *= extent;
    else
      axes.push_back(std::move(axis));
  }
  axes.resize(4, {1, std::vector<std::int64_t>(tensors.size(), 0)});
  return axes;
}

/// Elements that can be moved at once along the first axis.
int product_vector(const Problem& p, const std::vector<ProductAxis>& axes) {
  const int element = element_bytes(p.precision);
  const auto& first = axes.front().strides;
  if (first[0] != 1 || std::ranges::any_of(first, [](std::int64_t stride) { return stride > 1; })) return 1;
  int vector = 16 / element;
  const auto fits = [&] {
    if (axes.front().extent % vector != 0) return false;
    for (std::size_t t = 0; t < first.size(); ++t) {
      const int alignment = t == 0 ? p.result.alignment : p.inputs[t - 1].alignment;
      if (first[t] == 0) continue;
      if (alignment % (vector * element) != 0) return false;
      for (std::size_t a = 1; a < axes.size(); ++a)
        if (axes[a].strides[t] % vector != 0) return false;
    }
    return true;
  };
  while (vector > 1 && !fits()) vector /= 2;
  return vector;
}

class Product : public Native {
 public:
  Product(const Problem& problem, const std::string& name) : Native(problem, name), axes_(product_axes(problem)) {
    call_.half = problem.precision == Precision::fp16;
    call_.vector = product_vector(problem, axes_);
    for (int d = 0; d < 4; ++d) call_.extent[d] = axes_[d].extent, call_.out_stride[d] = axes_[d].strides[0];
    call_.act = problem.pre;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void*,
              void*) const override {
    native::Factors factors;
    for (const void* data : inputs) {
      auto& factor = factors.list[factors.count++];
      factor.data = data;
      for (int d = 0; d < 4; ++d) factor.stride[d] = axes_[d].strides[factors.count];
    }
    native::multiply(stream, call_, factors, output);
  }

 private:
  std::vector<ProductAxis> axes_;
  native::MultiplyCall call_{};
};

}  // namespace

std::unique_ptr<Kernel> build_product(const Problem& problem, const std::string& name) {
  return std::make_unique<Product>(problem, name);
}

}  // namespace opsched
