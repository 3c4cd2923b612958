// Every kernel that the library may choose, compared with plain loops in double precision: random shapes, strides,
// paddings, slices and sums, in every precision.
#include <algorithm>
#include <map>
#include <memory>

#include "core/error.hpp"
#include "core/runtime/cuda/library/cudnn_graph.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

class Kernels : public OnGpu, public testing::WithParamInterface<Precision> {
 protected:
  void SetUp() override {
    OnGpu::SetUp();
    if (IsSkipped()) return;
    site_ = std::make_shared<KernelSite>(0);
    builder_ = std::make_unique<cudnn::Handle>();
  }
  /// Tests every kernel for this case, which is not a dense convolution; returns their number.
  int check_native(const Case& c) {
    const Loaded loaded(c);
    const auto names = list_kernels(c.problem, site_, *builder_);
    for (const std::string& name : names)
      EXPECT_LT(loaded.run(*build_kernel(c.problem, name, site_, *builder_)), output_tolerance(c.problem.precision))
          << name << ": " << c.problem.key();
    return static_cast<int>(names.size());
  }

  /// Tests kernels of every kind for this dense convolution; counts the correct ones by provider and kind.
  void check_conv(const Case& c, std::map<std::string, int>& right) {
    const Loaded loaded(c);
    int usable = 0;
    std::map<std::string, int> tried;
    for (const std::string& name : list_kernels(c.problem, site_, *builder_)) {
      const std::string kind = name.substr(0, name.rfind('/'));
      if (++tried[kind] > 3) continue;  // this kind is tested enough
      std::unique_ptr<Kernel> kernel;
      try {
        kernel = build_kernel(c.problem, name, site_, *builder_);
      } catch (const Error&) {
        continue;  // a library may refuse what its heuristics propose
      }
      EXPECT_EQ(kernel->describe(), name) << c.problem.key();  // the tuning cache stores names
      const double error = loaded.run(*kernel);
      // Kernels of other libraries may be too inaccurate (the tuner drops those); ours may not.
      const bool library = name.find("cudnn/") != std::string::npos;
      if (!library) {
        EXPECT_LT(error, output_tolerance(GetParam())) << name << ": " << c.problem.key();
      }
      if (error < output_tolerance(GetParam()))
        ++usable, ++right[kind.substr(0, kind.find('/', kind.find("cudnn/") + 6))];
    }
    EXPECT_GT(usable, 0) << c.problem.key();
  }

  Site site_;
  std::unique_ptr<cudnn::Handle> builder_;
};

TEST_P(Kernels, DepthwiseMatchesTheDefinition) {
  Rng rng(1);
  int kernels = 0;
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) kernels += check_native(random_depthwise(rng, GetParam(), layout));
  EXPECT_GT(kernels, cases(40) * 2);
}

/// All vector widths, pixel and row counts per thread, which slices and channels of the cases above rarely allow.
TEST_P(Kernels, DepthwiseVectorsMatchTheDefinition) {
  Rng rng(6);
  for (int k : {3, 5, 7})
    for (int inputs : {1, 2, 3})
      for (Activation pre : {Activation::none, Activation::relu}) {
        Problem p = blank(rng, GetParam(), TensorFormat::nhwc, Step::Kind::depthwise);
        p.input = {pick(rng, {4, 12, 136}), pick(rng, {7, 8, 13, 18}), pick(rng, {7, 9, 10, 15})};
        const int padding = pick(rng, {0, 1, k / 2});
        p.layer =
            Conv2d{.out_channels = p.input.c,
                   .kernel = {k, k},
                   .padding = {padding, padding},
                   .groups = p.input.c,
                   .act = activation(pick(
                       rng, {Activation::none, Activation::relu, Activation::sigmoid, Activation::leaky_relu,
                             Activation::clip, Activation::hard_sigmoid, Activation::hard_swish, Activation::silu}))};
        p.pre = pre;
        Case c = finish(rng, p, inputs);
        while (std::ranges::count(list_native(c.problem), "strip/v4/c2/r4/t64") == 0) c = finish(rng, p, inputs);
        check_native(c);
      }
}

/// Images of all sizes around that of a tile, rows cut into several blocks, channels in several groups of unequal size,
/// paddings of all sizes, images lower than the window: `low` ones with rows of padding above and below.
Problem random_tile(Rng& rng, Precision precision, int k, int stride, bool low) {
  Problem p = blank(rng, precision, TensorFormat::nhwc, Step::Kind::depthwise);
  p.input = {pick(rng, {8, 16, 48, 136, 168}), pick(rng, {k, k + 1, 13, 18, 37}), pick(rng, {k, k + 2, 9, 21, 42, 75})};
  Conv2d conv{.out_channels = p.input.c, .kernel = {k, k}, .stride = {stride, stride}, .groups = p.input.c};
  conv.act = activation(
      pick(rng, {Activation::none, Activation::none, Activation::relu, Activation::sigmoid, Activation::silu,
                 Activation::leaky_relu, Activation::clip, Activation::hard_sigmoid, Activation::hard_swish}));
  for (int d : {0, 1}) {
    conv.padding[d] = pick(rng, {0, 1, k / 2, k / 2, k - 1});
    conv.more_padding[d] = pick(rng, {0, 0, -conv.padding[d], k / 2});
  }
  if (low) {
    p.input.h = pick(rng, {1, 2});
    conv.padding[0] = k - 1, conv.more_padding[0] = 0;
  }
  p.layer = conv;
  return p;
}

/// Tiles are listed for large problems only, so they are tested by name.
void check_tiles(Rng& rng, const Problem& blank, int inputs) {
  Problem p = draw_slices(rng, blank, inputs);
  while (common_vector(p, p.input.c) * element_bytes(p.precision) < 16) p = draw_slices(rng, blank, inputs);
  const Case c = draw_data(rng, p);
  const Loaded loaded(c);
  for (int rows : {1, 4, 16, 256})
    for (int threads : {32, 64, 128, 256}) {
      const std::string name = "tile/c4/r" + std::to_string(rows) + "/t" + std::to_string(threads);
      EXPECT_LT(loaded.run(*build_native(p, name)), output_tolerance(p.precision)) << name << ": " << p.key();
    }
}

TEST_P(Kernels, DepthwiseTilesMatchTheDefinition) {
  Rng rng(11);
  for (int k : {3, 5, 7})
    for (int stride : {1, 2})
      for (Activation pre : {Activation::none, Activation::relu})
        for (int i = 0; i < cases(6); ++i) {
          Problem p = random_tile(rng, GetParam(), k, stride, i == 0);
          p.pre = pre;
          check_tiles(rng, p, 1);
        }
}

TEST_P(Kernels, DepthwiseTilesOfSumsMatchTheDefinition) {
  Rng rng(15);
  for (int inputs = 2; inputs <= native::kMostTileInputs; ++inputs)
    for (int stride : {1, 2})
      for (Activation pre : {Activation::none, Activation::relu})
        for (int i = 0; i < cases(4); ++i) {
          Problem p = random_tile(rng, GetParam(), 3, stride, i == 0);
          p.pre = pre;
          check_tiles(rng, p, inputs);
        }
}

class DepthwisePlanes : public OnGpu {};

/// All vector widths, and rows of one lane up to those of several warps.
TEST_F(DepthwisePlanes, MatchTheDefinition) {
  Rng rng(17);
  int kernels = 0;
  const auto check = [&](int k, int stride, int vector, int inputs) {
    Problem p = blank(rng, Precision::fp32, TensorFormat::nchw, Step::Kind::depthwise);
    const int channels = pick(rng, {1, 7, 24, 41});
    p.input = {channels, pick(rng, {1, 2, 7, 18, 33}), vector * pick(rng, {1, 3, 7, 13, 31, 32, 33, 75})};
    const int above = p.input.h < k ? k / 2 : pick(rng, {0, k / 2, k - 1});  // padding of rows
    p.layer = Conv2d{.out_channels = channels,
                     .kernel = {k, k},
                     .stride = {stride, stride},
                     .padding = {above, k / 2},
                     .groups = channels};
    p.pre = pick(rng, {0, 1}) == 1 ? Activation::relu : Activation::none;
    const std::string prefix = "planes/v" + std::to_string(vector);
    const auto is_plane = [&](const std::string& name) { return name.starts_with(prefix); };
    Case c = finish(rng, p, inputs);
    for (int tries = 0; tries < 200 && std::ranges::none_of(list_native(c.problem), is_plane); ++tries)
      c = finish(rng, p, inputs);
    const Loaded loaded(c);
    for (const std::string& name : list_native(c.problem)) {
      if (!is_plane(name)) continue;
      ++kernels;
      EXPECT_LT(loaded.run(*build_native(c.problem, name)), output_tolerance(Precision::fp32))
          << name << ": " << c.problem.key();
    }
  };
  int problems = 0;
  for (int k : {3, 5, 7})
    for (int stride : {1, 2})
      for (int vector : {1, 2, 4})
        for (int inputs = 1; inputs <= (k == 3 && stride == 1 ? native::kMostTileInputs : 1); ++inputs)
          for (int i = 0; i < cases(4); ++i, ++problems) check(k, stride, vector, inputs);
  EXPECT_GT(kernels, problems);
}

/// Large enough for tiles to be listed.
Problem large_depthwise(Rng& rng, Precision precision, int k) {
  Problem p = blank(rng, precision, TensorFormat::nhwc, Step::Kind::depthwise);
  p.batch = 9;
  p.input = {168, 57, 57};
  p.layer = Conv2d{.out_channels = 168, .kernel = {k, k}, .padding = {k / 2, k / 2}, .groups = 168};
  p.pre = Activation::relu;
  return p;
}

bool lists_tiles(const Problem& p) { return std::ranges::count(list_native(p), "tile/c4/r16/t64") > 0; }

TEST_P(Kernels, LargeDepthwiseMatchesTheDefinition) {
  Rng rng(12);
  for (int k : {3, 5}) {
    const Problem blank = large_depthwise(rng, GetParam(), k);
    Problem p = draw_slices(rng, blank, 1);
    while (!lists_tiles(p)) p = draw_slices(rng, blank, 1);
    check_native(draw_data(rng, p));
  }
}

/// Needs no GPU.
TEST(DepthwiseTiles, AreListedForFewInputs) {
  Rng rng(16);
  for (int k : {3, 5, 7})
    for (int inputs = 1; inputs <= 6; ++inputs) {
      Problem p = large_depthwise(rng, Precision::fp16, k);
      p.output = p.input;
      p.result = dense_layout(p.output, p.layout);
      p.inputs.assign(inputs, dense_layout(p.input, p.layout));
      EXPECT_EQ(lists_tiles(p), inputs <= (k == 3 ? 5 : 1)) << p.key();
    }
}

TEST_P(Kernels, PoolsMatchTheDefinition) {
  Rng rng(2);
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) check_native(random_pool(rng, GetParam(), layout));
}

/// Large enough for threads that compute several output rows.
Case large_pool(Rng& rng, Precision precision, TensorFormat layout, Pool2d pool, Activation pre) {
  Problem p = blank(rng, precision, layout, Step::Kind::pool);
  p.batch = 8;
  const int size = 90 * pool.stride[0] + 1;
  p.input = {72, size, size};
  p.layer = pool;
  p.pre = pre;
  return finish(rng, p, 1);
}

TEST_P(Kernels, LargePoolsMatchTheDefinition) {
  Rng rng(5);
  const Pool2d most{.type = PoolType::max, .kernel = {3, 3}, .stride = {2, 2}, .padding = {0, 0}};
  const Pool2d mean{.type = PoolType::avg, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}};
  for (TensorFormat layout : layouts(GetParam())) {
    check_native(large_pool(rng, GetParam(), layout, most, Activation::relu));
    check_native(large_pool(rng, GetParam(), layout, mean, Activation::none));
  }
}

/// The average over an image, from a strip with these rows.
Case part_of_average(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::pool);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {1, 7, 17}), pick(rng, {1, 8, 28})};
  const int above = pick(rng, {0, 5, 40}), below = pick(rng, {0, 3, 17});
  p.layer = Pool2d{.type = PoolType::avg,
                   .kernel = {above + p.input.h + below, p.input.w},
                   .padding = {above, 0},
                   .more_padding = {below - above, 0}};
  p.pre = pick(rng, {0, 1}) ? Activation(Activation::relu) : Activation(Activation::none);
  return finish(rng, p, pick(rng, {1, 1, 3}));
}

TEST_P(Kernels, PartsOfAveragesMatchTheDefinition) {
  Rng rng(7);
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) check_native(part_of_average(rng, GetParam(), layout));
}

TEST_P(Kernels, GathersMatchTheDefinition) {
  Rng rng(3);
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) check_native(random_gather(rng, GetParam(), layout));
}

TEST_P(Kernels, ProductsMatchTheDefinition) {
  Rng rng(7);
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(80); ++i) EXPECT_EQ(check_native(random_product(rng, GetParam(), layout)), 1);
}

TEST_P(Kernels, ResizesMatchTheDefinition) {
  Rng rng(8);
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(60); ++i) EXPECT_GT(check_native(random_resize(rng, GetParam(), layout)), 0);
}

/// Every activation, with every vector width, alone and after every kind of convolution.
TEST_P(Kernels, ActivationsMatchTheirDefinition) {
  Rng rng(9);
  const TensorFormat layout = preferred_format(GetParam());
  for (int kind = 0; kind < Activation::kinds; ++kind)
    for (int channels : {1, 6, 20, 24}) {
      Problem p = blank(rng, GetParam(), layout, Step::Kind::gather);
      p.input = {channels, 9, 10};
      p.pre = activation(kind);
      check_native(finish(rng, p, 2));
      p.kind = Step::Kind::multiply;
      check_native(finish(rng, p, 2));
      p.kind = Step::Kind::depthwise;
      p.pre = Activation::none;
      p.layer = Conv2d{
          .out_channels = channels, .kernel = {3, 3}, .padding = {1, 1}, .groups = channels, .act = activation(kind)};
      check_native(finish(rng, p, 1));
    }
}

/// Activations must not hide NaN, or errors would go unnoticed.
TEST_P(Kernels, ActivationsKeepNaN) {
  Rng rng(10);
  for (int kind = 0; kind < Activation::kinds; ++kind) {
    Problem p = blank(rng, GetParam(), preferred_format(GetParam()), Step::Kind::gather);
    p.input = {8, 3, 3};
    p.pre = activation(kind);
    Case c = finish(rng, p, 1);
    for (float& x : c.inputs[0]) x = NAN;
    const Loaded loaded(c);
    EXPECT_EQ(loaded.run(*build_kernel(c.problem, "gather", site_, *builder_)), INFINITY) << to_string(p.pre);
  }
}

TEST_P(Kernels, ConvolutionsMatchTheDefinition) {
  Rng rng(4);
  std::map<std::string, int> right;  // kernels by provider and kind
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(16); ++i) check_conv(random_conv(rng, GetParam(), layout), right);
  for (const auto& [kind, count] : right) RecordProperty(kind, count);
}

TEST_P(Kernels, ConvolutionsBehindAffineLayersMatchTheDefinition) {
  Rng rng(7);
  std::map<std::string, int> right;
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(16); ++i) check_conv(random_affine(rng, GetParam(), layout), right);
  // Slices rarely have the alignment that kernels for both layers need.
  const auto aligned = [&] {
    for (;;)
      if (Case c = random_affine(rng, GetParam(), preferred_format(GetParam()));
          !list_own_convs(c.problem, *site_).empty())
        return c;
  };
  for (int i = 0; i < cases(4); ++i) check_conv(aligned(), right);
  // In one kernel, and in two.
  const auto count = [&](bool two) {
    int sum = 0;
    for (const auto& [kind, n] : right) sum += kind.starts_with(kSumPrefix) == two ? n : 0;
    return sum;
  };
  EXPECT_GE(count(false), cases(4));
  EXPECT_GE(count(true), cases(4));
}

TEST_P(Kernels, ConvolutionsWithResidualsMatchTheDefinition) {
  Rng rng(13);
  std::map<std::string, int> right;
  for (TensorFormat layout : layouts(GetParam()))
    for (int i = 0; i < cases(24); ++i) check_conv(random_residual_conv(rng, GetParam(), layout), right);
  // Slices rarely have the alignment that kernels with a residual need, and activations are often not light.
  const auto addable = [&] {
    for (;;)
      if (Case c = random_residual_conv(rng, GetParam(), preferred_format(GetParam()));
          !list_own_convs(c.problem, *site_).empty())
        return c;
  };
  for (int i = 0; i < cases(8); ++i) check_conv(addable(), right);
  for (const auto& [kind, count] : right) RecordProperty(kind, count);
  // In one kernel, and in two.
  const auto count = [&](bool two) {
    int sum = 0;
    for (const auto& [kind, n] : right) sum += kind.starts_with(kAddPrefix) == two ? n : 0;
    return sum;
  };
  EXPECT_GE(count(false), cases(8));
  EXPECT_GE(count(true), cases(8));
}

/// The libraries' ways to add a residual: the summands of a product and of cuDNN's classic pattern.
TEST_P(Kernels, LibrariesAddResiduals) {
  Rng rng(14);
  std::map<std::string, int> right;
  for (const Activation post : {Activation::none, Activation::relu}) {
    Problem p = blank(rng, GetParam(), preferred_format(GetParam()), Step::Kind::conv);
    p.input = {64, 8, 20};
    p.layer = Conv2d{.out_channels = 32};
    p.residual.emplace();
    p.post = post;
    Case c = finish(rng, p, 1);
    while (row_alignment(*c.problem.residual, c.problem) < 16 || row_alignment(c.problem.result, c.problem) < 16 ||
           row_alignment(c.problem.inputs[0], c.problem) < 16)
      c = finish(rng, p, 1);
    check_conv(c, right);
  }
  for (const auto& [kind, count] : right) RecordProperty(kind, count);
  if (preferred_format(GetParam()) == TensorFormat::nhwc) {
    EXPECT_GT(right["gemm/fused"], 0);
    EXPECT_EQ(right["cudnn/summand"] > 0, GetParam() != Precision::tf32x3);  // there, cuDNN does not compete
  }
}

class BareKernels : public OnGpu {};

TEST_F(BareKernels, AreFinishedOnLargePlanesOfOddSize) {
  Rng rng(6);
  Problem p = blank(rng, Precision::fp32, TensorFormat::nchw, Step::Kind::conv);
  p.batch = 4;
  p.input = {4, 95, 95};
  p.layer = Conv2d{.out_channels = 64, .kernel = {1, 1}, .act = Activation::relu};
  const Case c = finish(rng, p, 1);
  const Loaded loaded(c);
  const auto site = std::make_shared<KernelSite>(0);
  const cudnn::Handle builder;
  int finished = 0;
  for (const std::string& name : list_kernels(c.problem, site, builder)) {
    if (name.find("/bare/") == std::string::npos) continue;
    try {
      finished += loaded.run(*build_kernel(c.problem, name, site, builder)) < output_tolerance(Precision::fp32);
    } catch (const Error&) {  // a library may refuse what its heuristics propose
    }
  }
  EXPECT_GT(finished, 0);
}

INSTANTIATE_TEST_SUITE_P(, Kernels, testing::ValuesIn(kPrecisions),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace opsched
