// Problems with a residual: which providers take them, and how two kernels share the work. Needs no GPU.
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

/// Names from a file must not build a kernel that forgets the residual.
TEST(Residuals, AreRefusedByKernelsThatDoNotAddThem) {
  Rng rng(15);
  for (int i = 0; i < 100; ++i) {
    const TensorFormat layout = pick(rng, {0, 1}) ? TensorFormat::nhwc : TensorFormat::nchw;
    Problem p = random_residual_conv(rng, Precision::tf32, layout).problem;
    EXPECT_THROW(build_direct_conv(p, kDirectConv), Error);
    EXPECT_EQ(has_light_end(p), native::is_light(std::get<Conv2d>(p.layer).act) &&
                                    (p.post == Activation::none || p.post == Activation::relu));
    if (!has_light_end(p)) {
      EXPECT_TRUE(list_patch_convs(p).empty()) << p.key();
    }
    if (p.affine) {
      EXPECT_THROW(build_own_conv(p, p.layout == TensorFormat::nhwc ? "mma/r32/c32/s1" : "simt/r32/c32/s1"), Error);
    }
    EXPECT_FALSE(before_residual(p).residual) << p.key();
    EXPECT_FALSE(residual_of(p).residual) << p.key();
    EXPECT_FALSE(sum_of(p, static_cast<int>(p.inputs.size())).residual) << p.key();
    EXPECT_EQ(after_sum(p, static_cast<int>(p.inputs.size())).residual, p.residual);
    EXPECT_EQ(residual_of(p).inputs.size(), 2u);
    EXPECT_EQ(residual_of(p).pre, p.post);
    for (const Step::Kind kind : {Step::Kind::gather, Step::Kind::depthwise, Step::Kind::pool, Step::Kind::multiply}) {
      p.kind = kind;
      EXPECT_TRUE(list_native(p).empty());
      EXPECT_THROW(build_native(p, "gather"), Error);
    }
  }
}

/// Notes how it is launched.
class Probe : public Kernel {
 public:
  struct Launch {
    std::vector<const void*> inputs;
    void* output;
    const void* weights;
    void* workspace;
  };
  Probe(std::string name, std::size_t workspace, std::size_t weights, std::vector<Launch>& log)
      : name_(std::move(name)), log_(log) {
    workspace_bytes_ = workspace, weight_bytes_ = weights;
  }
  std::vector<std::byte> pack(const ConvWeights&) const override { return std::vector<std::byte>(weight_bytes_); }
  void launch(cudaStream_t, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    log_.push_back({{inputs.begin(), inputs.end()}, output, weights, workspace});
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return name_; }

 private:
  std::string name_;
  std::vector<Launch>& log_;
};

/// After the sum of two inputs: through all three kernels, with a result in the output or in the workspace.
TEST(Residuals, AreAddedInTheOutputOrToADenseResult) {
  for (const bool in_place : {true, false}) {
    Problem p;
    p.kind = Step::Kind::conv;
    p.layout = TensorFormat::nhwc;
    p.batch = 3;
    p.input = {8, 5, 5}, p.output = {12, 5, 5};
    p.layer = Conv2d{.out_channels = 12};
    p.inputs.assign(2, dense_layout(p.input, p.layout));
    p.residual = slice_layout({24, 5, 5}, 8, 12, p.layout, 4);
    p.result = slice_layout({in_place ? 24 : 23, 5, 5}, 8, 12, p.layout, 4);
    const std::size_t sum_bytes = aligned(3 * 8 * 25 * 4), dense_bytes = in_place ? 0 : aligned(3 * 12 * 25 * 4);
    ASSERT_EQ(adds_in_place(p), in_place);
    EXPECT_EQ(before_residual(p).result, in_place ? p.result : dense_layout(p.output, p.layout));
    EXPECT_EQ(residual_of(p).inputs[0], before_residual(p).result);

    std::vector<Probe::Launch> log;
    const auto probe = [&](const char* name, std::size_t workspace, std::size_t weights) {
      return std::make_shared<Probe>(name, workspace, weights, log);
    };
    std::shared_ptr<const Kernel> conv = add_last(after_sum(p, 2), probe("conv", 1000, 77), probe("gather", 2000, 0));
    EXPECT_EQ(conv->describe(), "add+conv");
    EXPECT_EQ(conv->weight_bytes(), 77u);
    EXPECT_EQ(conv->workspace_bytes(), dense_bytes + 2000);
    const auto all = sum_first(sum_of(p, 2), 2, probe("sum", 0, 0), conv);
    EXPECT_EQ(all->describe(), "sum+add+conv");
    EXPECT_EQ(all->workspace_bytes(), sum_bytes + dense_bytes + 2000);

    std::byte a, b, residual, output, weights;
    std::vector<std::byte> workspace(all->workspace_bytes());
    const void* const inputs[] = {&a, &b, &residual};
    all->launch(nullptr, inputs, &output, &weights, workspace.data());
    using Addresses = std::vector<const void*>;
    ASSERT_EQ(log.size(), 3u);
    EXPECT_EQ(log[0].inputs, (Addresses{&a, &b}));
    EXPECT_EQ(log[0].output, workspace.data());
    std::byte* const scratch = workspace.data() + sum_bytes;
    std::byte* const result = in_place ? &output : scratch;
    EXPECT_EQ(log[1].inputs, (Addresses{workspace.data()}));
    EXPECT_EQ(log[1].output, result);
    EXPECT_EQ(log[1].weights, &weights);
    EXPECT_EQ(log[1].workspace, scratch + dense_bytes);
    EXPECT_EQ(log[2].inputs, (Addresses{result, &residual}));
    EXPECT_EQ(log[2].output, &output);
  }
}

}  // namespace
}  // namespace opsched
