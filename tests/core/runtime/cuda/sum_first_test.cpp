// Sums of more inputs than a kernel reads. Needs no GPU.
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

/// In NCHW, kernels of windows and affine layers refuse several channel strides.
TEST(SumFirst, ASumOfTheFirstInputsHasTheChannelStrideOfTheOthers) {
  Rng rng(16);
  int of_rows = 0;
  for (int i = 0; i < 100; ++i) {
    Problem p = blank(rng, Precision::fp32, TensorFormat::nchw, Step::Kind::conv);
    p.input = {pick(rng, {3, 8}), pick(rng, {3, 4}), pick(rng, {4, 5})};
    p.layer = Conv2d{.out_channels = 9};
    p.output = {9, p.input.h, p.input.w};
    p = finish(rng, p, 7).problem;
    const Problem sum = sum_of(p, 4), rest = after_sum(p, 4);
    ASSERT_EQ(sum.inputs.size(), 4u);
    ASSERT_EQ(rest.inputs.size(), 4u);
    EXPECT_EQ(sum.result, rest.inputs.front());
    for (const TensorLayout& t : rest.inputs) EXPECT_EQ(t.c, p.inputs.back().c) << p.key();
    EXPECT_EQ(sum_of(p, 7).result, dense_layout(p.input, p.layout));
    of_rows += p.inputs.back().c != std::int64_t{p.input.h} * p.input.w;
  }
  EXPECT_GT(of_rows, 10);
}

}  // namespace
}  // namespace opsched
