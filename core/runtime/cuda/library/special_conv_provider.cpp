// Library kernels for the project's fp32 convolutions with certain windows: one pixel, Winograd's, and first layers.
#include <algorithm>
#include <string_view>

#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_first.hpp"
#include "core/runtime/cuda/kernels/conv_pointwise.hpp"
#include "core/runtime/cuda/kernels/conv_winograd.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

/// A kernel with a parameter: how many output channels a block computes.
struct Family {
  std::string_view name;
  bool weights_by_rows;  ///< packed differently for each number of rows
  bool (*supports)(const ConvGeometry&);
  std::vector<int> (*rows)(const ConvGeometry&, std::size_t shared_bytes);
  std::size_t (*weight_bytes)(const ConvGeometry&, int rows);
  void (*pack)(const ConvGeometry&, int rows, const ConvWeights&, std::byte*);
  void (*launch)(const ConvGeometry&, int rows, const float* input, float* output, const void* weights, cudaStream_t,
                 const ConvResidual&);
};

/// With fewer pixels, too few blocks would run at once.
std::vector<int> pointwise_rows(const ConvGeometry& g, std::size_t) {
  constexpr std::int64_t kFewest = 2048;
  return std::int64_t{g.batch} * g.p * g.q < kFewest ? std::vector<int>{} : conv_pointwise_rows();
}

constexpr Family kFamilies[] = {
    {.name = "pointwise",
     .weights_by_rows = true,
     .supports = conv_pointwise_supports,
     .rows = pointwise_rows,
     .weight_bytes = conv_pointwise_weight_bytes,
     .pack = conv_pointwise_pack,
     .launch = conv_pointwise_launch},
    {.name = "winograd",
     .weights_by_rows = false,
     .supports = conv_winograd_supports,
     .rows = [](const ConvGeometry&, std::size_t shared_bytes) { return conv_winograd_rows(shared_bytes); },
     .weight_bytes = [](const ConvGeometry& g, int) { return conv_winograd_weight_bytes(g); },
     .pack = [](const ConvGeometry& g, int, const ConvWeights& weights,
                std::byte* packed) { conv_winograd_pack(g, weights, packed); },
     .launch = conv_winograd_launch},
    {.name = "first",
     .weights_by_rows = true,
     .supports = conv_first_supports,
     .rows = conv_first_rows,
     .weight_bytes = conv_first_weight_bytes,
     .pack = conv_first_pack,
     .launch = [](const ConvGeometry& g, int rows, const float* input, float* output, const void* weights,
                  cudaStream_t stream,
                  const ConvResidual&) { conv_first_launch(g, rows, input, output, weights, stream); }},
};

bool possible(const Problem& problem, const Family& family) {
  return problem.layout == TensorFormat::nchw && problem.precision == Precision::fp32 && problem.inputs.size() == 1 &&
         native::is_plain(problem.pre) && has_light_end(problem) && family.supports(conv_geometry(problem));
}

class SpecialConv : public Kernel {
 public:
  SpecialConv(const Problem& problem, std::string name, const Family& family, int rows)
      : problem_(problem), name_(std::move(name)), family_(family), geometry_(conv_geometry(problem)), rows_(rows) {
    weight_bytes_ = aligned(family_.weight_bytes(geometry_, rows));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    family_.pack(geometry_, rows_, weights, packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    family_.launch(geometry_, rows_, static_cast<const float*>(inputs[0]), static_cast<float*>(output), weights, stream,
                   conv_residual(problem_, inputs));
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override {
    return std::string(family_.name) + (family_.weights_by_rows ? " r" + std::to_string(rows_) : "");
  }

 private:
  Problem problem_;
  std::string name_;
  const Family& family_;
  ConvGeometry geometry_;
  int rows_;
};

}  // namespace

std::vector<std::string> list_special_convs(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) {
    if (!possible(problem, family)) continue;
    for (const int rows : family.rows(conv_geometry(problem), site.shared_bytes))
      names.push_back(std::string(family.name) + "/r" + std::to_string(rows));
  }
  return names;
}

std::unique_ptr<Kernel> build_special_conv(const Problem& problem, const std::string& name) {
  const auto parts = split_name(name);
  const auto* const family = std::ranges::find(kFamilies, parts[0], &Family::name);
  if (family == std::end(kFamilies)) return nullptr;
  if (!possible(problem, *family) || parts.size() != 2)
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<SpecialConv>(problem, name, *family, name_number(parts[1], 'r'));
}

}  // namespace opsched
