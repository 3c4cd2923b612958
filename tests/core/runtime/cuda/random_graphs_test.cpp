// Graphs with all kinds of operators on the GPU, compared with the CPU reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "core/cost/profile/profile.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/tolerance.hpp"
#include "tests/support/dense_block.hpp"
#include "tests/support/random_branches.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_graph.hpp"
#include "tests/support/random_splits.hpp"

namespace opsched {
namespace {

int graphs(int usual) {
  const char* text = std::getenv("OPSCHED_TEST_CASES");
  return text ? std::atoi(text) : usual;
}

/// Error relative to at least 1, because relative errors of products of small numbers are meaningless.
double deviation(const Tensor& got, const Tensor& want) {
  if (got.shape != want.shape || got.n != want.n) return INFINITY;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.data.size(); ++i) {
    const double d = double{got.data[i]} - want.data[i];
    difference += d * d, norm += double{want.data[i]} * want.data[i];
  }
  const double size = static_cast<double>(want.data.size());
  return std::isnan(difference) ? INFINITY : std::sqrt(difference / std::max(norm, size));
}

class GraphsOnTheGpu : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
    runtime_ = std::make_unique<CudaRuntime>(
        CudaOptions{.precision = GetParam(), .cache_file = "", .device_ids = {}, .progress = {}});
  }

  /// `percent`: share of the divisible operators that are split, over up to 4 of the available GPUs.
  void check(const Graph& graph, std::uint64_t seed, int percent = 0) {
    const std::vector<Split> splits = percent > 0 ? test::random_splits(graph, percent, seed) : std::vector<Split>{};
    const Graph scheduled = graph.with_splits(splits);
    const int gpus = percent > 0 ? std::min<int>(4, static_cast<int>(cuda_devices().usable.size())) : 1;
    for (Mode mode : {Mode::barrier, Mode::dataflow}) {
      Schedule schedule = test::random_schedule(scheduled, gpus, mode, seed);
      schedule.splits = splits;
      check(graph, schedule, seed);
    }
  }

  void check(const Graph& graph, const Schedule& schedule, std::uint64_t seed) {
    std::vector<Tensor> inputs;
    for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, seed + 100));
    const std::vector<Tensor> want = reference_outputs(graph, inputs, seed);
    const auto executor = runtime_->make_executor(graph, schedule, seed);
    const std::vector<Tensor> got = executor->run(inputs);
    ASSERT_EQ(got.size(), want.size());
    // Errors of successive layers add up.
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_LT(deviation(got[i], want[i]), 3 * output_tolerance(GetParam()))
          << "seed " << seed << ", " << to_string(schedule.mode) << ", output " << i;
    EXPECT_GT(executor->measure({}).median, 0);  // can be run repeatedly
  }

  std::unique_ptr<CudaRuntime> runtime_;
};

TEST_P(GraphsOnTheGpu, WithOperatorsOfEveryKindComputeWhatTheReferenceComputes) {
  for (int seed = 0; seed < graphs(6); ++seed) check(test::RandomGraph(seed).draw(12), seed);
}

TEST_P(GraphsOnTheGpu, OfBranchesAndCellsComputeWhatTheReferenceComputes) {
  for (int seed = 0; seed < graphs(2); ++seed) check(test::RandomCnn(seed, 4).draw(2), seed);
}

TEST_P(GraphsOnTheGpu, MergedAcrossConcatenationsComputeWhatTheReferenceComputes) {
  for (int seed = 0; seed < graphs(6); ++seed) {
    test::RandomBranches random(seed);
    check(random.graph(), random.schedule(1), seed);
  }
}

TEST_P(GraphsOnTheGpu, SplitIntoStripsComputeWhatTheReferenceComputes) {
  for (int seed = 0; seed < graphs(6); ++seed) check(test::RandomGraph(seed).draw(12).with_batch(1), seed, 60);
  for (int seed = 0; seed < graphs(2); ++seed) check(test::RandomCnn(seed, 4).draw(2).with_batch(1), seed, 80);
}

TEST_P(GraphsOnTheGpu, OfABatchSplitByRowsAndImagesComputeWhatTheReferenceComputes) {
  for (int seed = 0; seed < graphs(6); ++seed) check(test::RandomGraph(seed).draw(12).with_batch(3), seed, 60);
  for (int seed = 0; seed < graphs(2); ++seed) check(test::RandomCnn(seed, 4).draw(2).with_batch(2 + seed), seed, 80);
}

/// Inverted residuals with a gate and any activation, as in MobileNet V3, EfficientNet and GhostNet.
class Mobile {
 public:
  Mobile(int width, Activation act, int batch) : act_(act), graph_("mobile", batch) {
    Term x = graph_.all(graph_.add_input("in", {3, 33, 33}));
    // Padding as in TensorFlow: one pixel more below and to the right.
    x = add({x}, {conv(width, 3, {.stride = {2, 2}, .padding = {0, 0}, .more_padding = {1, 1}})});
    x = block(x, 3 * width, 5, 2, {1, 1});
    x = block(x, 3 * width, 3, 1, {2, 1});
    const Term skipped = x;
    x = block(x, 2 * width, 3, 2, {1, 1});
    const auto [h, w] = size(skipped);
    const Term large = add({x}, {Resize2d{.size = {h, w}, .interpolation = Interpolation::linear}});
    x = add(
        {{large.front(), skipped.front()}},
        {Conv2d{
            .out_channels = width, .kernel = {3, 3}, .padding = {2, 2}, .groups = 2, .act = act_, .dilation = {2, 2}}});
    const Term near = add({x}, {Resize2d{.size = {2 * h, 2 * w}, .coordinates = Coordinates::asymmetric}});
    add({near, near},
        {Pool2d{.type = PoolType::max, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {2, 1}}, Activate{act_}});
    graph_.end_block("all");
  }
  const Graph& graph() const { return graph_; }

 private:
  Term add(std::vector<Term> terms, std::vector<Layer> layers, Combine combine = Combine::concat) {
    return graph_.all(graph_.add("op" + std::to_string(graph_.size()), std::move(terms), std::move(layers), combine));
  }
  std::array<int, 2> size(const Term& x) const {
    const Shape& s = graph_.op(x.front().op).output;
    return {s.h, s.w};
  }
  Conv2d conv(int out, int kernel, Conv2d rest = {}) const {
    rest.out_channels = out;
    rest.kernel = {kernel, kernel};
    if (rest.act == Activation::none) rest.act = act_;
    return rest;
  }
  Term block(const Term& x, int inner, int kernel, int stride, std::array<int, 2> dilation) {
    const int width = x.front().channels();
    const Term wide = add({x}, {conv(inner, 1)});
    const int half = kernel / 2;
    const Term deep = add({wide}, {conv(inner, kernel,
                                        {.stride = {stride, stride},
                                         .padding = {half * dilation[0], half * dilation[1]},
                                         .groups = inner,
                                         .dilation = dilation})});
    const Term mean = add({deep}, {Pool2d{.type = PoolType::global_avg}});
    const Term narrow = add({mean}, {conv(std::max(2, inner / 4), 1)});
    const Term gate = add({narrow}, {conv(inner, 1, {.act = {Activation::hard_sigmoid, 1.0f / 6, 0.5f}})});
    const Term gated = add({deep, gate}, {}, Combine::product);
    const Term end = add({gated}, {Conv2d{.out_channels = width}});
    if (stride > 1) return end;
    return {end.front(), x.front()};
  }

  Activation act_;
  Graph graph_;
};

TEST_P(GraphsOnTheGpu, WithGatesComputeWhatTheReferenceComputes) {
  check(Mobile(16, Activation::hard_swish, 1).graph(), 1);
  check(Mobile(16, Activation::silu, 2).graph(), 2);
  check(Mobile(12, {Activation::clip, 0, 6}, 2).graph(), 3);
  check(Mobile(10, Activation::gelu, 1).graph(), 4);
}

TEST_P(GraphsOnTheGpu, WithAffineLayersComputeWhatTheReferenceComputes) {
  check(test::dense_block(64, 32, 4, 1), 1);
  check(test::dense_block(16, 8, 3, 2), 2);
  check(test::dense_block(3, 5, 3, 1), 3);
  check(test::dense_block(64, 32, 2, 1), 4, 80);
}

/// Normalisations, softmax, channels rearranged into pixels, and crops by negative padding, as in ConvNeXt, ResNeSt and
/// U-Net.
Graph over_channels(int channels, int batch) {
  Graph graph("channels", batch);
  const auto add = [&](std::vector<Term> terms, std::vector<Layer> layers, Combine combine = Combine::concat) {
    return graph.all(graph.add("op" + std::to_string(graph.size()), std::move(terms), std::move(layers), combine));
  };
  const Term x = graph.all(graph.add_input("in", {channels, 9, 7}));
  const Term wide = add({x}, {Conv2d{.out_channels = 4 * channels, .kernel = {3, 3}, .padding = {1, 1}}});
  const Term groups = add({wide}, {Normalize{.groups = 4}});
  const Term each = add({wide}, {Normalize{.groups = 4 * channels, .epsilon = 1e-3f}, Activate{Activation::gelu}});
  const Term pixels = add({wide}, {Normalize{.per_pixel = true}, Conv2d{.out_channels = channels}});
  const Term share = add({groups}, {Softmax{.size = 2, .inner = 2 * channels}});
  const Term gated = add({groups, share}, {}, Combine::product);
  const Term large = add({gated}, {DepthToSpace{.block = {2, 2}, .crop = {1, 0}, .crop_end = {0, 1}}});
  const Term other = add({each}, {DepthToSpace{.block = {2, 2}, .phase_first = false}});
  add({large}, {Softmax{.size = channels}});
  add({other}, {PixelRow{.begin = 3, .width = 18 * 14 + 7}});
  add({other}, {Conv2d{.out_channels = 5, .kernel = {3, 3}, .padding = {-1, -2}, .more_padding = {2, 0}}});
  add({other}, {Pool2d{.type = PoolType::max, .kernel = {1, 1}, .padding = {-1, 0}, .more_padding = {0, -1}}});
  add({pixels}, {Conv2d{.out_channels = channels, .kernel = {3, 3}, .padding = {-1, -1}, .groups = channels}});
  graph.end_block("all");
  return graph;
}

TEST_P(GraphsOnTheGpu, WithLayersOverChannelsComputeWhatTheReferenceComputes) {
  for (const int channels : {2, 8, 31}) check(over_channels(channels, channels % 2 ? 3 : 1), channels);
}

INSTANTIATE_TEST_SUITE_P(, GraphsOnTheGpu, testing::ValuesIn(kPrecisions),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace opsched
