// Problems solved by two kernels in turn: a sum first, or the parts of a separable convolution.
#include <algorithm>

#include "core/runtime/cuda/kernel_sources.hpp"

namespace opsched {
namespace {

/// The first kernel reads the first `count` inputs and does the first `layers` convolutions, the second
/// one reads its result, dense in the workspace, before the other inputs.
class InTurn : public Kernel {
 public:
  InTurn(std::string name, int count, int layers, std::size_t between_bytes, std::shared_ptr<const Kernel> first,
         std::shared_ptr<const Kernel> second)
      : name_(std::move(name)),
        count_(count),
        layers_(layers),
        between_bytes_(aligned(between_bytes)),
        first_weights_(aligned(first->weight_bytes())),
        first_(std::move(first)),
        second_(std::move(second)) {
    workspace_bytes_ = between_bytes_ + std::max(first_->workspace_bytes(), second_->workspace_bytes());
    weight_bytes_ = first_weights_ + second_->weight_bytes();
  }
  std::vector<std::byte> pack(std::span<const ConvWeights> weights) const override {
    std::vector<std::byte> packed = first_->pack(weights.first(layers_));
    packed.resize(first_weights_);
    const std::vector<std::byte> rest = second_->pack(weights.subspan(layers_));
    packed.insert(packed.end(), rest.begin(), rest.end());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    std::byte* scratch = static_cast<std::byte*>(workspace) + between_bytes_;
    first_->launch(stream, inputs.first(count_), workspace, weights, scratch);
    std::vector<const void*> left{workspace};
    left.insert(left.end(), inputs.begin() + count_, inputs.end());
    second_->launch(stream, left, output, static_cast<const std::byte*>(weights) + first_weights_, scratch);
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override {
    return first_weights_ == 0 ? second_->weight_format() : first_->weight_format() + ", " + second_->weight_format();
  }

 private:
  std::string name_;
  int count_, layers_;
  std::size_t between_bytes_, first_weights_;
  std::shared_ptr<const Kernel> first_, second_;
};

std::size_t result_bytes(const Problem& problem) {
  return problem.batch * problem.output.size() * element_bytes(problem.precision);
}

}  // namespace

Problem after_sum(const Problem& problem, int count) {
  Problem rest = problem;
  if (count == static_cast<int>(problem.inputs.size())) rest.pre = Activation::none;
  rest.inputs.erase(rest.inputs.begin(), rest.inputs.begin() + count);
  rest.inputs.insert(rest.inputs.begin(), dense_layout(problem.input, problem.layout));
  return rest;
}

Problem sum_of(const Problem& problem, int count) {
  Problem sum = problem;
  sum.kind = Step::Kind::gather;
  sum.layer = std::monostate{};
  sum.pointwise.reset();
  sum.output = problem.input;
  sum.result = dense_layout(problem.input, problem.layout);
  if (count < static_cast<int>(problem.inputs.size())) sum.pre = Activation::none;
  sum.inputs.resize(count);
  return sum;
}

std::unique_ptr<Kernel> sum_first(const Problem& sum_problem, int count, std::shared_ptr<const Kernel> sum,
                                  std::shared_ptr<const Kernel> rest) {
  const std::string name = kSumPrefix + rest->describe();
  return std::make_unique<InTurn>(name, count, 0, result_bytes(sum_problem), std::move(sum), std::move(rest));
}

Problem depthwise_of(const Problem& separable) {
  Problem part = separable;
  part.kind = Step::Kind::depthwise;
  part.pointwise.reset();
  part.output.c = separable.input.c;
  part.result = dense_layout(part.output, separable.layout);
  return part;
}

Problem pointwise_of(const Problem& separable) {
  Problem part = separable;
  const Problem before = depthwise_of(separable);
  part.kind = Step::Kind::conv;
  part.input = before.output;
  part.inputs = {before.result};
  part.pre = Activation::none;
  part.layer = *separable.pointwise;
  part.pointwise.reset();
  return part;
}

std::unique_ptr<Kernel> pair(const Problem& separable, std::shared_ptr<const Kernel> depthwise,
                             std::shared_ptr<const Kernel> pointwise) {
  return std::make_unique<InTurn>(kPair, static_cast<int>(separable.inputs.size()), 1,
                                  result_bytes(depthwise_of(separable)), std::move(depthwise), std::move(pointwise));
}

}  // namespace opsched
