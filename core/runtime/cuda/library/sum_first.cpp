// Problems solved by two kernels in turn: a sum of inputs, then the rest.
#include <algorithm>

#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

/// The sum of the first `count` inputs, dense in the workspace, takes their place.
class SumFirst : public Kernel {
 public:
  SumFirst(int count, std::shared_ptr<const Kernel> sum, std::shared_ptr<const Kernel> rest, std::size_t sum_bytes)
      : count_(count), sum_bytes_(aligned(sum_bytes)), sum_(std::move(sum)), rest_(std::move(rest)) {
    workspace_bytes_ = sum_bytes_ + std::max(sum_->workspace_bytes(), rest_->workspace_bytes());
    weight_bytes_ = rest_->weight_bytes();
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override { return rest_->pack(weights); }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    std::byte* scratch = static_cast<std::byte*>(workspace) + sum_bytes_;
    sum_->launch(stream, inputs.first(count_), workspace, nullptr, scratch);
    std::vector<const void*> left{workspace};
    left.insert(left.end(), inputs.begin() + count_, inputs.end());
    rest_->launch(stream, left, output, weights, scratch);
  }
  std::string describe() const override { return kSumPrefix + rest_->describe(); }
  std::string weight_format() const override { return rest_->weight_format(); }

 private:
  int count_;
  std::size_t sum_bytes_;
  std::shared_ptr<const Kernel> sum_, rest_;
};

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
  sum.output = problem.input;
  sum.result = dense_layout(problem.input, problem.layout);
  if (count < static_cast<int>(problem.inputs.size())) sum.pre = Activation::none;
  sum.inputs.resize(count);
  return sum;
}

std::unique_ptr<Kernel> sum_first(const Problem& sum_problem, int count, std::shared_ptr<const Kernel> sum,
                                  std::shared_ptr<const Kernel> rest) {
  const std::size_t bytes = sum_problem.batch * sum_problem.input.size() * element_bytes(sum_problem.precision);
  return std::make_unique<SumFirst>(count, std::move(sum), std::move(rest), bytes);
}

}  // namespace opsched
