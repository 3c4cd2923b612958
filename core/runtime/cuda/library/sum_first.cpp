// Problems solved by two kernels in turn: first a sum of inputs or an affine layer, then the rest; or first a
// convolution, then its activation or the addition of its residual.
#include <algorithm>
#include <utility>

#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

/// Replaces the first `count` inputs by their sum, in the workspace.
class SumFirst : public Kernel {
 public:
  SumFirst(int count, std::shared_ptr<const Kernel> sum, std::shared_ptr<const Kernel> rest, std::size_t sum_bytes)
      : count_(count), sum_bytes_(aligned(sum_bytes)), sum_(std::move(sum)), rest_(std::move(rest)) {
    workspace_bytes_ = sum_bytes_ + std::max(sum_->workspace_bytes(), rest_->workspace_bytes());
    rest_weights_ = aligned(sum_->weight_bytes());
    weight_bytes_ = rest_weights_ + rest_->weight_bytes();
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(rest_weights_);
    if (rest_weights_ > 0) std::ranges::copy(sum_->pack({weights.input_factor, weights.input_bias}), packed.begin());
    const std::vector<std::byte> rest = rest_->pack(weights);
    packed.insert(packed.end(), rest.begin(), rest.end());
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    std::byte* scratch = static_cast<std::byte*>(workspace) + sum_bytes_;
    const std::byte* const packed = static_cast<const std::byte*>(weights);
    sum_->launch(stream, inputs.first(count_), workspace, packed, scratch);
    std::vector<const void*> left{workspace};
    left.insert(left.end(), inputs.begin() + count_, inputs.end());
    rest_->launch(stream, left, output, packed + rest_weights_, scratch);
  }
  std::string describe() const override { return kSumPrefix + rest_->describe(); }
  std::string weight_format() const override {
    return rest_weights_ > 0 ? sum_->weight_format() + "+" + rest_->weight_format() : rest_->weight_format();
  }

 private:
  int count_;
  std::size_t sum_bytes_, rest_weights_ = 0;
  std::shared_ptr<const Kernel> sum_, rest_;
};

/// The activation works in place on the convolution's output.
class ActLast : public Kernel {
 public:
  ActLast(std::shared_ptr<const Kernel> first, std::shared_ptr<const Kernel> act)
      : first_(std::move(first)), act_(std::move(act)) {
    workspace_bytes_ = std::max(first_->workspace_bytes(), act_->workspace_bytes());
    weight_bytes_ = first_->weight_bytes();
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override { return first_->pack(weights); }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    first_->launch(stream, inputs, output, weights, workspace);
    const void* const result = output;
    act_->launch(stream, {&result, 1}, output, nullptr, workspace);
  }
  std::string describe() const override { return kActPrefix + first_->describe(); }
  std::string weight_format() const override { return first_->weight_format(); }

 private:
  std::shared_ptr<const Kernel> first_, act_;
};

/// The second kernel adds the residual to the layer's output, which is in the problem's output or dense in the
/// workspace.
class AddLast : public Kernel {
 public:
  /// `dense_bytes`: size of the layer's output in the workspace; 0 if it is not there.
  AddLast(std::shared_ptr<const Kernel> first, std::shared_ptr<const Kernel> add, std::size_t dense_bytes)
      : first_bytes_(aligned(dense_bytes)), first_(std::move(first)), add_(std::move(add)) {
    workspace_bytes_ = first_bytes_ + std::max(first_->workspace_bytes(), add_->workspace_bytes());
    weight_bytes_ = first_->weight_bytes();
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override { return first_->pack(weights); }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    std::byte* const scratch = static_cast<std::byte*>(workspace) + first_bytes_;
    void* const result = first_bytes_ > 0 ? workspace : output;
    first_->launch(stream, inputs.first(inputs.size() - 1), result, weights, scratch);
    const void* const summands[] = {result, inputs.back()};
    add_->launch(stream, summands, output, nullptr, scratch);
  }
  std::string describe() const override { return kAddPrefix + first_->describe(); }
  std::string weight_format() const override { return first_->weight_format(); }

 private:
  std::size_t first_bytes_;
  std::shared_ptr<const Kernel> first_, add_;
};

/// Where the sum of the first `count` inputs is. In NCHW it has the channel stride of the inputs that are left, because
/// some kernels read tensors of one channel stride only.
TensorLayout layout_of_sum(const Problem& problem, int count) {
  TensorLayout sum = dense_layout(problem.input, problem.layout);
  if (problem.layout == TensorFormat::nhwc || count == static_cast<int>(problem.inputs.size())) return sum;
  sum.c = problem.inputs.back().c;
  if (problem.batch > 1) sum.n = problem.input.c * sum.c;
  return sum;
}

/// A gather of tensors that are as large as the problem's output, into the output.
Problem gather_behind(const Problem& problem, std::vector<TensorLayout> inputs, Activation act) {
  Problem gather = problem;
  gather.kind = Step::Kind::gather;
  gather.layer = std::monostate{};
  gather.input = problem.output;
  gather.inputs = std::move(inputs);
  gather.affine = false;
  gather.pre = act;
  gather.residual.reset(), gather.post = Activation::none;
  return gather;
}

}  // namespace

Problem after_sum(const Problem& problem, int count) {
  Problem rest = problem;
  if (count == static_cast<int>(problem.inputs.size())) rest.affine = false, rest.pre = Activation::none;
  rest.inputs.erase(rest.inputs.begin(), rest.inputs.begin() + count);
  rest.inputs.insert(rest.inputs.begin(), layout_of_sum(problem, count));
  return rest;
}

Problem sum_of(const Problem& problem, int count) {
  Problem sum = problem;
  if (problem.kind != Step::Kind::multiply) sum.kind = Step::Kind::gather;
  sum.layer = std::monostate{};
  sum.output = problem.input;
  sum.result = layout_of_sum(problem, count);
  sum.inputs.resize(count);
  sum.affine = false;
  sum.residual.reset(), sum.post = Activation::none, sum.bias = false;
  if (count < static_cast<int>(problem.inputs.size())) {
    sum.pre = Activation::none;
  } else if (problem.affine) {
    sum.kind = Step::Kind::depthwise;
    sum.layer = Conv2d{.out_channels = sum.input.c, .groups = sum.input.c, .act = std::exchange(sum.pre, {})};
  }
  return sum;
}

std::unique_ptr<Kernel> sum_first(const Problem& sum_problem, int count, std::shared_ptr<const Kernel> sum,
                                  std::shared_ptr<const Kernel> rest) {
  const Problem& p = sum_problem;
  const std::int64_t elements = p.layout == TensorFormat::nchw ? p.input.c * p.result.c : p.input.size();
  const std::size_t bytes = p.batch * elements * element_bytes(p.precision);
  return std::make_unique<SumFirst>(count, std::move(sum), std::move(rest), bytes);
}

Problem before_act(const Problem& problem) {
  Problem first = problem;
  std::get<Conv2d>(first.layer).act = Activation::none;
  return first;
}

Problem act_of(const Problem& problem) {
  return gather_behind(problem, {problem.result}, std::get<Conv2d>(problem.layer).act);
}

std::unique_ptr<Kernel> act_last(std::shared_ptr<const Kernel> first, std::shared_ptr<const Kernel> act) {
  return std::make_unique<ActLast>(std::move(first), std::move(act));
}

bool adds_in_place(const Problem& problem) { return row_alignment(problem.result, problem) == 16; }

Problem before_residual(const Problem& problem) {
  Problem first = problem;
  if (!adds_in_place(problem)) first.result = dense_layout(problem.output, problem.layout);
  first.residual.reset(), first.post = Activation::none;
  return first;
}

Problem residual_of(const Problem& problem) {
  return gather_behind(problem, {before_residual(problem).result, *problem.residual}, problem.post);
}

std::unique_ptr<Kernel> add_last(const Problem& problem, std::shared_ptr<const Kernel> first,
                                 std::shared_ptr<const Kernel> add) {
  const Problem& p = problem;
  const std::size_t dense = p.batch * p.output.size() * element_bytes(p.precision);
  return std::make_unique<AddLast>(std::move(first), std::move(add), adds_in_place(p) ? 0 : dense);
}

}  // namespace opsched
