// Library kernels for the project's fp32 convolutions of few channels.
#include "core/error.hpp"
#include "core/runtime/cuda/kernels/conv_first.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

bool possible(const Problem& problem) {
  return problem.layout == TensorFormat::nchw && problem.precision == Precision::fp32 && problem.inputs.size() == 1 &&
         native::is_plain(problem.pre) && has_light_end(problem) && conv_first_supports(conv_geometry(problem));
}

class FirstConv : public Kernel {
 public:
  FirstConv(const Problem& problem, std::string name, int rows)
      : name_(std::move(name)), geometry_(conv_geometry(problem)), rows_(rows) {
    weight_bytes_ = aligned(conv_first_weight_bytes(geometry_, rows));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    conv_first_pack(geometry_, rows_, weights, packed.data());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    conv_first_launch(geometry_, rows_, static_cast<const float*>(inputs[0]), static_cast<float*>(output), weights,
                      stream);
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "first r" + std::to_string(rows_); }

 private:
  std::string name_;
  ConvGeometry geometry_;
  int rows_;
};

}  // namespace

std::vector<std::string> list_first_convs(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names;
  if (!possible(problem)) return names;
  for (const int rows : conv_first_rows(conv_geometry(problem), site.shared_bytes))
    names.push_back("first/r" + std::to_string(rows));
  return names;
}

std::unique_ptr<Kernel> build_first_conv(const Problem& problem, const std::string& name) {
  const auto parts = split_name(name);
  if (!possible(problem) || parts.size() != 2 || parts[0] != "first")
    throw Error("there is no kernel '" + name + "' for " + problem.key());
  return std::make_unique<FirstConv>(problem, name, name_number(parts[1], 'r'));
}

}  // namespace opsched
