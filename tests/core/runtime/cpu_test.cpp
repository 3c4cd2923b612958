// The CPU back end: kernels compared with plain loops, schedules with the reference.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <thread>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cpu/kernels.hpp"
#include "networks/network.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_graph.hpp"
#include "tests/support/random_inputs.hpp"
#include "tests/support/stage_values.hpp"

#if defined(__SANITIZE_THREAD__)
constexpr int slowdown = 4;  // defined by ThreadSanitizer
#else
constexpr int slowdown = 1;
#endif

namespace opsched {
namespace {

using test::Random;
using test::random_inputs;
using test::random_schedule;
using test::RandomCnn;
using test::RandomGraph;

/// Value of a tensor, or 0 in the padding.
std::optional<double> at(const Tensor& t, int n, int c, int y, int x) {
  if (y < 0 || y >= t.shape.h || x < 0 || x >= t.shape.w) return std::nullopt;
  return t.data[((std::int64_t{n} * t.shape.c + c) * t.shape.h + y) * t.shape.w + x];
}

double naive(const Tensor& in, const Conv2d& conv, int channels, const ConvWeights& weights, int n, int m, int y,
             int x) {
  const int first = m / (conv.out_channels / conv.groups) * channels;
  double sum = weights.bias[m];
  std::size_t w = std::size_t(m) * channels * conv.kernel[0] * conv.kernel[1];
  for (int c = 0; c < channels; ++c)
    for (int ky = 0; ky < conv.kernel[0]; ++ky)
      for (int kx = 0; kx < conv.kernel[1]; ++kx)
        sum += weights.weight[w++] * at(in, n, first + c, y * conv.stride[0] - conv.padding[0] + ky * conv.dilation[0],
                                        x * conv.stride[1] - conv.padding[1] + kx * conv.dilation[1])
                                         .value_or(0.0);
  if (conv.act == Activation::relu) return std::max(sum, 0.0);
  return conv.act == Activation::tanh ? std::tanh(sum) : sum;
}

double naive(const Tensor& in, const Pool2d& pool, int n, int c, int y, int x) {
  const bool global = pool.type == PoolType::global_avg;
  const int height = global ? in.shape.h : pool.kernel[0], width = global ? in.shape.w : pool.kernel[1];
  double sum = 0, most = -std::numeric_limits<double>::infinity();
  int taps = 0;
  for (int ky = 0; ky < height; ++ky)
    for (int kx = 0; kx < width; ++kx) {
      const auto v = at(in, n, c, global ? ky : y * pool.stride[0] - pool.padding[0] + ky * pool.dilation[0],
                        global ? kx : x * pool.stride[1] - pool.padding[1] + kx * pool.dilation[1]);
      if (!v) continue;
      sum += *v;
      most = std::max(most, *v);
      ++taps;
    }
  if (pool.type == PoolType::max) return most;
  return sum / (pool.count_padding || global ? height * width : taps);
}

/// A view of the first channels of a larger tensor, like a slice of a join.
TensorView<float> slice_of(Tensor& joined, Shape shape) {
  return {joined.data.data(), joined.shape.size(), joined.n, shape};
}

/// Runs `kernel` on slices and compares its output with `expected`.
template <class Kernel, class Expected>
void compare(Random& random, Shape shape, const Layer& layer, const Kernel& kernel, const Expected& expected) {
  const int n = 1 + random.below(2), threads = 1 + random.below(3);
  const Shape out = infer_shape(layer, shape);
  Tensor wide = random_tensor(n, {shape.c + random.below(3), shape.h, shape.w}, random.below(1000));
  Tensor result = random_tensor(n, {out.c + random.below(3), out.h, out.w}, 1);
  const Tensor untouched = result;
  kernel(slice_of(wide, shape), slice_of(result, out), threads);
  for (int i = 0; i < n; ++i)
    for (int c = 0; c < result.shape.c; ++c)
      for (int y = 0; y < out.h; ++y)
        for (int x = 0; x < out.w; ++x) {
          if (c < out.c)
            ASSERT_NEAR(*at(result, i, c, y, x), expected(wide, i, c, y, x), 1e-4);
          else
            ASSERT_EQ(*at(result, i, c, y, x), *at(untouched, i, c, y, x));
        }
}

TEST(CpuKernels, ConvolutionsAgreeWithPlainLoops) {
  Random random(1);
  for (int i = 0; i < 300 / slowdown; ++i) {
    const int groups = random.chance(50) ? 1 : 1 + random.below(4);
    Conv2d conv{.kernel = {1 + random.below(4), 1 + random.below(4)},
                .stride = {1 + random.below(3), 1 + random.below(3)},
                .padding = {random.below(3), random.below(3)},
                .groups = groups,
                .act = std::vector{Activation::none, Activation::relu, Activation::tanh}[random.below(3)]};
    if (random.chance(20)) conv = {.groups = groups};
    Shape least{0, 4, 4};
    if (random.chance(40)) {
      conv.dilation = {1 + random.below(3), 1 + random.below(3)};
      for (int d : {0, 1}) conv.more_padding[d] = random.below(5) - conv.padding[d];
      least = {0, 11, 11};
    }
    const int channels = random.chance(40) ? 1 : 1 + random.below(5);
    const Shape in{groups * channels, least.h + random.below(40), least.w + random.below(12)};
    conv.out_channels = groups * (random.chance(40) ? 1 : 1 + random.below(5));
    Tensor draw = random_tensor(1, {conv.out_channels, channels, conv.kernel[0] * conv.kernel[1] + 1}, i);
    ConvWeights weights{draw.data, {}};
    weights.weight.resize(std::size_t(conv.out_channels) * channels * conv.kernel[0] * conv.kernel[1]);
    weights.bias.assign(draw.data.end() - conv.out_channels, draw.data.end());
    compare(
        random, in, conv, [&](auto from, auto to, int threads) { convolve(from, conv, weights, to, threads); },
        [&](const Tensor& t, int n, int c, int y, int x) { return naive(t, conv, channels, weights, n, c, y, x); });
    ASSERT_FALSE(HasFatalFailure()) << "convolution " << i;
  }
}

TEST(CpuKernels, PoolsAgreeWithPlainLoops) {
  Random random(2);
  for (int i = 0; i < 200 / slowdown; ++i) {
    Pool2d window{.type = std::vector{PoolType::max, PoolType::avg, PoolType::global_avg}[random.below(3)],
                  .kernel = {1 + random.below(4), 1 + random.below(4)},
                  .stride = {1 + random.below(3), 1 + random.below(3)},
                  .count_padding = random.chance(50)};
    for (int d : {0, 1}) window.padding[d] = random.below(window.kernel[d]);
    const bool uncommon = random.chance(40);
    if (uncommon) {
      window.dilation = {1 + random.below(3), 1 + random.below(3)};
      for (int d : {0, 1}) window.more_padding[d] = random.below(window.kernel[d]) - window.padding[d];
    }
    const Shape in{1 + random.below(5), (uncommon ? 11 : 4) + random.below(10), (uncommon ? 11 : 4) + random.below(10)};
    compare(
        random, in, window, [&](auto from, auto to, int threads) { pool(from, window, to, threads); },
        [&](const Tensor& t, int n, int c, int y, int x) { return naive(t, window, n, c, y, x); });
    ASSERT_FALSE(HasFatalFailure()) << "pool " << i;
  }
}

TEST(CpuKernels, ProductsRepeatWhatIsOne) {
  Random random(3);
  for (int i = 0; i < 100 / slowdown; ++i) {
    const Shape out{1 + random.below(4), 1 + random.below(5), 1 + random.below(5)};
    const int n = 1 + random.below(2), count = 1 + random.below(3);
    std::vector<Tensor> factors;
    std::vector<TensorView<const float>> views;
    for (int f = 0; f < count; ++f) {
      Shape shape = out;
      for (int Shape::*axis : {&Shape::c, &Shape::h, &Shape::w})
        if (f > 0 && random.chance(40)) shape.*axis = 1;
      factors.push_back(random_tensor(n, shape, 10 * i + f));
    }
    for (Tensor& factor : factors) views.push_back(slice_of(factor, factor.shape));
    Tensor result = random_tensor(n, out, 1);
    multiply(views, Activation::sigmoid, slice_of(result, out), 2);
    for (int b = 0; b < n; ++b)
      for (int c = 0; c < out.c; ++c)
        for (int y = 0; y < out.h; ++y)
          for (int x = 0; x < out.w; ++x) {
            double product = 1;
            for (const Tensor& f : factors)
              product *= *at(f, b, std::min(c, f.shape.c - 1), std::min(y, f.shape.h - 1), std::min(x, f.shape.w - 1));
            ASSERT_NEAR(*at(result, b, c, y, x), 1 / (1 + std::exp(-product)), 1e-5);
          }
  }
}

TEST(CpuKernels, ImagesAreResizedAsOnnxDoes) {
  // Results of onnxruntime for [0, 1, 2, 3] resized to 6, 8 and 2, and for its corners.
  const auto resized = [](int size, Interpolation interpolation, Coordinates coordinates, Rounding rounding) {
    Tensor in{1, {1, 1, 4}, {0, 1, 2, 3}}, out{1, {1, 1, size}, std::vector<float>(size)};
    resize(slice_of(in, in.shape), {{1, size}, interpolation, coordinates, rounding}, slice_of(out, out.shape), 1);
    return out.data;
  };
  using enum Interpolation;
  using enum Coordinates;
  using V = std::vector<float>;
  EXPECT_EQ(resized(8, nearest, half_pixel, Rounding::half_down), (V{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(resized(8, nearest, asymmetric, Rounding::floor), (V{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(resized(8, nearest, asymmetric, Rounding::ceil), (V{0, 1, 1, 2, 2, 3, 3, 3}));
  EXPECT_EQ(resized(8, nearest, asymmetric, Rounding::half_up), (V{0, 1, 1, 2, 2, 3, 3, 3}));
  EXPECT_EQ(resized(8, nearest, asymmetric, Rounding::half_down), (V{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(resized(2, nearest, asymmetric, Rounding::floor), (V{0, 2}));
  EXPECT_EQ(resized(8, linear, half_pixel, Rounding::floor), (V{0, .25f, .75f, 1.25f, 1.75f, 2.25f, 2.75f, 3}));
  EXPECT_EQ(resized(8, linear, asymmetric, Rounding::floor), (V{0, .5f, 1, 1.5f, 2, 2.5f, 3, 3}));
  EXPECT_EQ(resized(7, linear, align_corners, Rounding::floor), (V{0, .5f, 1, 1.5f, 2, 2.5f, 3}));
  EXPECT_EQ(resized(2, linear, half_pixel, Rounding::floor), (V{.5f, 2.5f}));
}

TEST(CpuKernels, KeepNaN) {
  Tensor in = random_tensor(1, {3, 5, 5}, 1), out = in;
  in.data[31] = std::numeric_limits<float>::quiet_NaN();  // channel 1
  const TensorView<const float> from = slice_of(in, in.shape);
  const auto survives = [&] { return std::isnan(out.data[31]); };
  gather({&from, 1}, Activation::relu, slice_of(out, out.shape), 1);
  EXPECT_TRUE(survives());
  for (PoolType type : {PoolType::max, PoolType::avg}) {
    out = random_tensor(1, out.shape, 2);
    pool(from, {.type = type, .kernel = {3, 3}, .padding = {1, 1}}, slice_of(out, out.shape), 1);
    EXPECT_TRUE(survives());
  }
  out = random_tensor(1, out.shape, 2);
  convolve(from, {.out_channels = 3, .act = Activation::relu}, {std::vector<float>(9, 1.0f), {0, 0, 0}},
           slice_of(out, out.shape), 1);
  EXPECT_TRUE(survives());
}

TEST(CpuKernels, ParallelLoopDoesEveryJobOnce) {
  for (int threads : {1, 2, 5})
    for (int jobs : {0, 1, 3, 100}) {
      std::vector<int> done(jobs, 0);
      parallel_for(jobs, threads, [&](int job) { ++done[job]; });
      EXPECT_EQ(done, std::vector<int>(jobs, 1));
    }
}

TEST(CpuKernels, ParallelLoopPassesOnWhatAJobThrows) {
  for (int threads : {1, 3}) {
    std::atomic<int> begun = 0;
    const auto job = [&](int i) {
      ++begun;
      if (i == 2) throw Error("no");
    };
    EXPECT_THROW(parallel_for(1000, threads, job), Error);
    if (threads == 1) {
      EXPECT_EQ(begun, 3);
    }
  }
}

Fusion random_fusion(Random& random) {
  const auto coin = [&] { return random.chance(50); };
  return {coin(), coin(), coin(), coin(), coin(), coin(), coin(), coin(), coin()};
}

TEST(CpuExecutor, EveryScheduleGivesTheReference) {
  int merges = 0, padded = 0;
  for (std::uint64_t seed = 0; seed < 250 / slowdown; ++seed) {
    Random random(seed);
    const Graph graph = random.chance(70) ? RandomCnn(seed).draw(1 + random.below(3)) : RandomGraph(seed).draw(12);
    const Mode mode = random.chance(50) ? Mode::barrier : Mode::dataflow;
    const Schedule schedule = random_schedule(graph, 1 + random.below(3), mode, seed);
    for (const DeviceSchedule& device : schedule.devices)
      for (const Stage& stage : device.stages) merges += stage.strategy == Strategy::merge;
    const LoweringOptions options{.fusion = random_fusion(random), .vector_channels = 1 << random.below(4)};
    Program program = lower(graph, schedule, options);
    for (const Buffer& buffer : program.buffers) padded += buffer.padding > 0;
    const auto executor = make_cpu_executor(graph, std::move(program), seed);
    for (int run = 0; run < 2; ++run) {
      const std::vector<Tensor> inputs = random_inputs(graph, 100 * seed + run);
      const std::vector<Tensor> outputs = executor->run(inputs), expected = reference_outputs(graph, inputs, seed);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed << " output " << i;
    }
  }
  EXPECT_GT(merges, 15);
  EXPECT_GT(padded, 100);
}

TEST(CpuExecutor, NetworksGiveTheReference) {
  for (const char* name : {"squeezenet", "inception_v3"}) {
    const Graph graph = make_network(name, {.batch = 2, .image = 80, .seed = 1, .edge_lists = {}});
    const std::vector<Tensor> inputs = random_inputs(graph, 1), expected = reference_outputs(graph, inputs, 1);
    const Schedule schedule = random_schedule(graph, 2, Mode::barrier, 1);
    const std::vector<Tensor> outputs = make_cpu_executor(graph, schedule, 1)->run(inputs);
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_LT(relative_error(outputs[0], expected[0]), 1e-5) << name;
  }
}

TEST(CpuExecutor, StagesApartGiveTheReference) {
  for (std::uint64_t seed = 0; seed < 100 / slowdown; ++seed) {
    const Graph graph = seed % 3 < 2 ? RandomCnn(seed).draw(2) : RandomGraph(seed).draw(8);
    const Schedule schedule = random_schedule(graph, 1, Mode::barrier, seed);
    std::vector<Tensor> values;
    reference_outputs(graph, random_inputs(graph, seed), seed, [&](OpId, const Tensor& t) { values.push_back(t); });
    for (const Stage& stage : schedule.devices[0].stages) {
      const auto [inputs, expected] = test::values_of(graph, stage, values);
      const LoweringOptions options{.vector_channels = seed % 2 ? 1 : 8};
      const auto executor = make_cpu_executor(graph, lower_stages(graph, {&stage, 1}, 2, options), seed);
      const std::vector<Tensor> outputs = executor->run(inputs);
      ASSERT_EQ(outputs.size(), expected.size());
      for (std::size_t i = 0; i < outputs.size(); ++i)
        ASSERT_LT(relative_error(outputs[i], expected[i]), 1e-5) << "seed " << seed;
    }
  }
}

#if defined(__SANITIZE_THREAD__)
TEST(CpuExecutor, ThreadSanitizerSeesAMissingWait) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int missing = 0;
  for (std::uint64_t seed = 0; missing < 5; ++seed) {
    const Graph graph = RandomCnn(seed).draw(1);
    Program program = lower(graph, random_schedule(graph, 1, Mode::dataflow, seed), {});
    const auto waiting = std::ranges::find_if(program.steps, [](const Step& step) { return !step.waits.empty(); });
    if (waiting == program.steps.end()) continue;
    waiting->waits.pop_back();
    ++missing;
    const auto run = [&] {
      make_cpu_executor(graph, program, seed)->run(random_inputs(graph, seed));
      std::exit(0);
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(66), "data race");
  }
}
#endif

TEST(CpuExecutor, RefusesWhatItCannotDo) {
  const Graph graph = RandomCnn(1).draw(1);
  const Schedule schedule = random_schedule(graph, 1, Mode::barrier, 1);
  const auto executor = make_cpu_executor(graph, schedule, 1);
  EXPECT_THROW(executor->measure({}), Error);
  EXPECT_THROW(executor->run({}), Error);
  std::vector<Tensor> inputs = random_inputs(graph, 1);
  ++inputs[0].shape.h;
  EXPECT_THROW(executor->run(inputs), Error);
  EXPECT_THROW(reference_outputs(graph, inputs, 1), Error);
}

}  // namespace
}  // namespace opsched
