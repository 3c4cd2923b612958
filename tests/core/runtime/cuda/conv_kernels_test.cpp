// Our own dense convolutions, compared with a plain loop in double precision: random shapes, strides, paddings, slices
// and alignments, odd channel counts, every tile and split.
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "core/round_up.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/kernels/conv_mma.hpp"
#include "core/runtime/cuda/kernels/conv_patch.hpp"
#include "core/runtime/cuda/kernels/conv_simt.hpp"
#include "core/runtime/cuda/kernels/conv_wgmma.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

struct ConvCase {
  ConvGeometry g;
  int in_channels_whole, in_first, out_channels_whole, out_first;  // slices of larger buffers
  std::vector<float> input;                                        // whole buffer, NCHW
  ConvWeights weights;
};

std::vector<float> normal(std::mt19937& rng, std::size_t n, float scale) {
  std::normal_distribution<float> d(0, scale);
  std::vector<float> v(n);
  for (float& x : v) x = d(rng);
  return v;
}

/// `affine`: 1x1 without padding, after an affine layer, in buffers aligned to 16 bytes.
ConvCase random_case(unsigned seed, bool nhwc, int most_channels = 192, bool affine = false) {
  std::mt19937 rng(seed);
  ConvCase c;
  ConvGeometry& g = c.g;
  g.batch = pick(rng, {1, 1, 1, 2, 3});
  g.c = most_channels < 8 ? std::uniform_int_distribution<int>(1, most_channels)(rng)
                          : pick(rng, {1, 3, 8, 16, 20, 33, 48, 64, 77, 96, 168, 192});
  g.k = pick(rng, {1, 7, 16, 32, 42, 64, 77, 96, 130, 192});
  g.h = pick(rng, {1, 5, 7, 8, 11, 17, 28});
  g.w = pick(rng, {1, 6, 7, 8, 13, 17, 35});
  g.r = pick(rng, {1, 1, 3, 5, 7});
  g.s = pick(rng, {1, 1, 3, 5, 7});
  g.pad_h = g.r / 2;
  g.pad_w = g.s / 2;
  int end_h = g.pad_h, end_w = g.pad_w;  // only below and to the right
  if (pick(rng, {0, 0, 1})) {
    g.pad_h += pick(rng, {0, 1}), g.pad_w += pick(rng, {0, 2}), end_h += pick(rng, {0, 1}), end_w += pick(rng, {0, 2});
    if (g.r <= g.h) g.dilation_h = pick(rng, {1, 2, 3}), end_h += (g.dilation_h - 1) * (g.r - 1);
    if (g.s <= g.w) g.dilation_w = pick(rng, {1, 2, 3}), end_w += (g.dilation_w - 1) * (g.s - 1);
  }
  if (affine) {
    g.r = g.s = g.dilation_h = g.dilation_w = 1;
    g.pad_h = g.pad_w = end_h = end_w = 0;
    g.pre_affine = true;
  }
  g.stride_h = pick(rng, {1, 1, 2});
  g.stride_w = pick(rng, {1, 1, 2});
  g.p = (g.h + g.pad_h + end_h - g.dilation_h * (g.r - 1) - 1) / g.stride_h + 1;
  g.q = (g.w + g.pad_w + end_w - g.dilation_w * (g.s - 1) - 1) / g.stride_w + 1;
  g.pre_relu = pick(rng, {0, 1});
  do g.act = random_activation(rng);
  while (!native::is_light(g.act));
  c.in_first = pick(rng, {0, 0, 4, 8, 16});
  c.in_channels_whole = c.in_first + g.c + pick(rng, {0, 0, 8});
  if (affine) c.in_first = round_up(c.in_first, 8), c.in_channels_whole = round_up(c.in_channels_whole + 4, 8);
  c.out_first = pick(rng, {0, 0, 3, 8});
  c.out_channels_whole = c.out_first + g.k + pick(rng, {0, 0, 8});
  if (nhwc) {
    g.in_stride = c.in_channels_whole;
    g.out_stride = c.out_channels_whole;
  } else {
    g.in_stride = std::int64_t{g.h} * g.w;
    g.out_stride = std::int64_t{g.p} * g.q;
  }
  g.in_stride_n = std::int64_t{c.in_channels_whole} * g.h * g.w;
  g.out_stride_n = std::int64_t{c.out_channels_whole} * g.p * g.q;
  c.input = normal(rng, static_cast<std::size_t>(g.batch * g.in_stride_n), 1.f);
  c.weights.weight = normal(rng, std::size_t(g.k) * g.c * g.r * g.s, 1.f / std::sqrt(float(g.c * g.r * g.s)));
  c.weights.bias = normal(rng, static_cast<std::size_t>(g.k), 1.f);
  if (affine) {
    c.weights.input_factor = normal(rng, static_cast<std::size_t>(g.c), 1.f);
    c.weights.input_bias = normal(rng, static_cast<std::size_t>(g.c), 1.f);
  }
  return c;
}

/// The result as dense NCHW.
std::vector<double> expected(const ConvCase& c) {
  const ConvGeometry& g = c.g;
  std::vector<double> out;
  for (int n = 0; n < g.batch; ++n)
    for (int k = 0; k < g.k; ++k)
      for (int p = 0; p < g.p; ++p)
        for (int q = 0; q < g.q; ++q) {
          double sum = c.weights.bias[k];
          for (int i = 0; i < g.c; ++i)
            for (int r = 0; r < g.r; ++r)
              for (int s = 0; s < g.s; ++s) {
                const int h = p * g.stride_h - g.pad_h + r * g.dilation_h;
                const int w = q * g.stride_w - g.pad_w + s * g.dilation_w;
                if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
                double x = c.input[n * g.in_stride_n + (std::int64_t{c.in_first + i} * g.h + h) * g.w + w];
                if (g.pre_affine) x = x * c.weights.input_factor[i] + c.weights.input_bias[i];
                if (g.pre_relu) x = std::max(x, 0.0);
                sum += x * c.weights.weight[((std::size_t(k) * g.c + i) * g.r + r) * g.s + s];
              }
          out.push_back(exact_activation(g.act, sum));
        }
  return out;
}

double error(const std::vector<double>& got, const std::vector<double>& want) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::isfinite(difference) ? std::sqrt(difference / std::max(norm, 1e-30)) : INFINITY;
}

template <class T>
DeviceBuffer to_device(const std::vector<T>& values) {
  DeviceBuffer buffer(values.size() * sizeof(T));
  OPSCHED_CUDA(cudaMemcpy(buffer.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  return buffer;
}

/// Major number of the GPU's compute capability.
int major_capability() {
  cudaDeviceProp p{};
  OPSCHED_CUDA(cudaGetDeviceProperties(&p, 0));
  return p.major;
}
bool clusters() { return major_capability() >= 9; }

/// Alignment in bytes of every pixel of an NHWC slice.
int alignment(std::int64_t stride, int first, int element) {
  for (int a : {16, 8, 4})
    if (stride * element % a == 0 && first * element % a == 0) return a;
  return 2;
}

/// The whole input buffer as the matrix units read it, NHWC.
template <class T>
std::vector<T> channels_last(const ConvCase& c) {
  const ConvGeometry& g = c.g;
  std::vector<T> whole(c.input.size());
  for (int n = 0; n < g.batch; ++n)
    for (int i = 0; i < c.in_channels_whole; ++i)
      for (int at = 0; at < g.h * g.w; ++at)
        whole[n * g.in_stride_n + at * g.in_stride + i] = T(c.input[n * g.in_stride_n + i * g.h * g.w + at]);
  return whole;
}

/// The slice that was written, as dense NCHW.
template <class T>
std::vector<double> channels_first(const ConvCase& c, const DeviceBuffer& output) {
  const ConvGeometry& g = c.g;
  std::vector<T> out(g.batch * g.out_stride_n);
  OPSCHED_CUDA(cudaMemcpy(out.data(), output.data(), out.size() * sizeof(T), cudaMemcpyDeviceToHost));
  std::vector<double> got;
  for (int n = 0; n < g.batch; ++n)
    for (int k = 0; k < g.k; ++k)
      for (int i = 0; i < g.p * g.q; ++i)
        got.push_back(float(out[n * g.out_stride_n + i * g.out_stride + c.out_first + k]));
  return got;
}

template <class T>
DeviceBuffer poisoned_output(const ConvCase& c) {
  return to_device(std::vector<T>(c.g.batch * c.g.out_stride_n, T(std::numeric_limits<float>::quiet_NaN())));
}

void check_simt(bool affine) {
  for (int seed = 0; seed < cases(60); ++seed) {
    const ConvCase c = random_case(seed, false, 192, affine);
    const ConvGeometry& g = c.g;
    const auto want = expected(c);
    std::vector<std::byte> packed(conv_simt_weight_bytes(g));
    conv_simt_pack(g, c.weights, packed.data());
    const DeviceBuffer input = to_device(c.input), weights = to_device(packed);
    for (ConvTile tile : conv_simt_tiles())
      for (int splits : conv_simt_splits(g, tile, 1 << 20, clusters())) {
        tile.splits = splits;
        std::vector<float> out(g.batch * g.out_stride_n, std::numeric_limits<float>::quiet_NaN());
        const DeviceBuffer output = to_device(out);
        conv_simt_launch(g, tile, reinterpret_cast<const float*>(input.data()) + c.in_first * g.in_stride,
                         reinterpret_cast<float*>(output.data()) + c.out_first * g.out_stride, weights.data(), nullptr);
        OPSCHED_CUDA(cudaMemcpy(out.data(), output.data(), out.size() * 4, cudaMemcpyDeviceToHost));
        std::vector<double> got;
        for (int n = 0; n < g.batch; ++n)
          for (int k = 0; k < g.k; ++k)
            for (int i = 0; i < g.p * g.q; ++i)
              got.push_back(out[n * g.out_stride_n + (c.out_first + k) * g.out_stride + i]);
        ASSERT_LT(error(got, want), 1e-5)
            << "seed " << seed << " tile " << tile.rows << "x" << tile.columns << "/" << splits;
      }
  }
}

TEST(ConvSimt, MatchesTheDefinition) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_simt(false);
}

TEST(ConvSimt, MatchesTheDefinitionBehindAnAffineLayer) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_simt(true);
}

/// First layers of two sizes share a kernel but need different amounts of shared memory; both run in one graph, in
/// either order.
TEST(ConvSimt, FirstLayersThatShareAVariantRunInOneGraph) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  std::vector<ConvCase> both;
  for (const int taps : {7, 3}) {
    ConvCase c;
    ConvGeometry& g = c.g;
    g.c = 3, g.k = 32, g.h = g.w = 33, g.r = g.s = taps, g.pad_h = g.pad_w = taps / 2;
    g.stride_h = g.stride_w = 2, g.p = g.q = 17, g.act = Activation::relu;
    g.in_stride = std::int64_t{g.h} * g.w, g.out_stride = std::int64_t{g.p} * g.q;
    c.in_first = c.out_first = 0;
    c.in_channels_whole = g.c, c.out_channels_whole = g.k;
    g.in_stride_n = g.c * g.in_stride, g.out_stride_n = g.k * g.out_stride;
    std::mt19937 rng(taps);
    c.input = normal(rng, static_cast<std::size_t>(g.in_stride_n), 1.f);
    c.weights.weight = normal(rng, std::size_t(g.k) * g.c * taps * taps, 0.1f);
    c.weights.bias = normal(rng, static_cast<std::size_t>(g.k), 1.f);
    both.push_back(std::move(c));
  }
  for (const bool largest_first : {true, false}) {
    for (const ConvTile& tile : conv_simt_tiles()) {
      std::vector<DeviceBuffer> inputs, weights, outputs;
      const Stream stream = make_stream();
      Capture capture(stream.get());
      for (int i : {0, 1}) {
        const ConvCase& c = both[largest_first ? i : 1 - i];
        std::vector<std::byte> packed(conv_simt_weight_bytes(c.g));
        conv_simt_pack(c.g, c.weights, packed.data());
        inputs.push_back(to_device(c.input));
        weights.push_back(to_device(packed));
        outputs.emplace_back(c.g.out_stride_n * sizeof(float));
        conv_simt_launch(c.g, tile, reinterpret_cast<const float*>(inputs.back().data()),
                         reinterpret_cast<float*>(outputs.back().data()), weights.back().data(), stream.get());
      }
      const GraphExec exec = instantiate(capture.end());
      OPSCHED_CUDA(cudaGraphLaunch(exec.get(), stream.get()));
      OPSCHED_CUDA(cudaStreamSynchronize(stream.get()));
      for (int i : {0, 1}) {
        const ConvCase& c = both[largest_first ? i : 1 - i];
        std::vector<float> got(c.g.out_stride_n);
        OPSCHED_CUDA(cudaMemcpy(got.data(), outputs[i].data(), got.size() * sizeof(float), cudaMemcpyDeviceToHost));
        ASSERT_LT(error({got.begin(), got.end()}, expected(c)), 1e-5)
            << c.g.r << "x" << c.g.s << (largest_first ? ", largest first" : ", largest last") << ", tile " << tile.rows
            << "x" << tile.columns;
      }
    }
  }
}

template <class T>
void check_mma(Precision precision, double tolerance, bool affine = false) {
  for (int seed = 0; seed < cases(60); ++seed) {
    const ConvCase c = random_case(seed, true, 192, affine);
    const ConvGeometry& g = c.g;
    const int in_alignment = alignment(g.in_stride, c.in_first, sizeof(T));
    ASSERT_TRUE(!affine || in_alignment == kConvMmaAffineAlignment);
    if (in_alignment < kConvMmaAlignment) continue;
    const auto want = expected(c);
    std::vector<std::byte> packed(conv_mma_weight_bytes(g, precision));
    conv_mma_pack(g, precision, c.weights, packed.data());
    const DeviceBuffer input = to_device(channels_last<T>(c)), weights = to_device(packed);
    for (ConvTile tile : conv_mma_tiles(affine))
      for (int splits : conv_mma_splits(g, tile, precision, 1 << 20, clusters())) {
        tile.splits = splits;
        const DeviceBuffer output = poisoned_output<T>(c);
        conv_mma_launch(g, precision, tile, in_alignment, alignment(g.out_stride, c.out_first, sizeof(T)),
                        reinterpret_cast<const T*>(input.data()) + c.in_first,
                        reinterpret_cast<T*>(output.data()) + c.out_first, weights.data(), nullptr);
        ASSERT_LT(error(channels_first<T>(c, output), want), tolerance)
            << "seed " << seed << " tile " << tile.rows << "x" << tile.columns << "/" << splits;
      }
  }
}

TEST(ConvMma, MatchesTheDefinitionInTf32) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<float>(Precision::tf32, 2e-3);
}

TEST(ConvMma, MatchesTheDefinitionInFp16) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<__half>(Precision::fp16, 1e-2);
}

TEST(ConvMma, MatchesTheDefinitionBehindAnAffineLayer) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<float>(Precision::tf32, 2e-3, true);
  check_mma<__half>(Precision::fp16, 1e-2, true);
}

template <class T>
void check_wgmma(Precision precision, double tolerance) {
  int checked = 0;
  for (int seed = 0; seed < cases(400); ++seed) {
    const ConvCase c = random_case(seed, true);
    const ConvGeometry& g = c.g;
    if (alignment(g.in_stride, c.in_first, sizeof(T)) < 16) continue;
    const std::vector<WgmmaTile> tiles = conv_wgmma_tiles(g, precision);
    if (tiles.empty()) continue;
    const auto want = expected(c);
    const DeviceBuffer input = to_device(channels_last<T>(c));
    for (WgmmaTile tile : tiles)
      for (; tile.depth >= 1; --tile.depth) {
        std::vector<std::byte> packed(conv_wgmma_weight_bytes(g, precision));
        conv_wgmma_pack(g, precision, tile, c.weights, packed.data());
        const DeviceBuffer weights = to_device(packed);
        const DeviceBuffer output = poisoned_output<T>(c);
        conv_wgmma_launch(g, precision, tile, alignment(g.out_stride, c.out_first, sizeof(T)),
                          reinterpret_cast<const T*>(input.data()) + c.in_first,
                          reinterpret_cast<T*>(output.data()) + c.out_first, weights.data(), nullptr);
        OPSCHED_CUDA(cudaDeviceSynchronize());
        ASSERT_LT(error(channels_first<T>(c, output), want), tolerance)
            << "seed " << seed << " tile " << tile.rows << "x" << tile.columns << "/" << tile.blocks << " depth "
            << tile.depth << ": " << g.batch << "x" << g.c << "x" << g.h << "x" << g.w << " to " << g.k << "x" << g.p
            << "x" << g.q << ", window " << g.r << "x" << g.s << ", padding " << g.pad_h << "x" << g.pad_w
            << ", dilation " << g.dilation_h << "x" << g.dilation_w;
        ++checked;
      }
  }
  EXPECT_GT(checked, 0);
}

TEST(ConvWgmma, MatchesTheDefinitionInTf32) {
  if (gpu_count() == 0 || major_capability() != 9) GTEST_SKIP() << "no GPU with sm_90";
  check_wgmma<float>(Precision::tf32, 2e-3);
}

TEST(ConvWgmma, MatchesTheDefinitionInFp16) {
  if (gpu_count() == 0 || major_capability() != 9) GTEST_SKIP() << "no GPU with sm_90";
  check_wgmma<__half>(Precision::fp16, 1e-2);
}

template <class T>
void check_patch(Precision precision, double tolerance) {
  for (int seed = 0; seed < cases(60); ++seed) {
    const bool thin = seed % 2 == 0;
    const ConvCase c = thin ? random_case(seed, true, kConvThinChannels) : random_case(seed, true);
    const ConvGeometry& g = c.g;
    if (g.c > kConvThinChannels && alignment(g.in_stride, c.in_first, sizeof(T)) < 16) continue;
    const auto want = expected(c);
    std::vector<std::byte> packed(conv_patch_weight_bytes(g, precision));
    conv_patch_pack(g, precision, c.weights.weight.data(), c.weights.bias.data(), packed.data());
    const DeviceBuffer input = to_device(channels_last<T>(c)), weights = to_device(packed);
    ASSERT_FALSE(thin && g.dilation_w == 1 && conv_patch_tiles(g, precision).empty()) << "seed " << seed;
    for (const PatchTile& tile : conv_patch_tiles(g, precision)) {
      const DeviceBuffer output = poisoned_output<T>(c);
      conv_patch_launch(g, precision, tile, alignment(g.out_stride, c.out_first, sizeof(T)),
                        reinterpret_cast<const T*>(input.data()) + c.in_first,
                        reinterpret_cast<T*>(output.data()) + c.out_first, weights.data(), nullptr);
      ASSERT_LT(error(channels_first<T>(c, output), want), tolerance)
          << "seed " << seed << " tile " << tile.channels << "/" << tile.rows << "/" << tile.warps;
    }
  }
}

TEST(ConvPatch, MatchesTheDefinitionInTf32) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_patch<float>(Precision::tf32, 2e-3);
}

TEST(ConvPatch, MatchesTheDefinitionInFp16) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_patch<__half>(Precision::fp16, 1e-2);
}

}  // namespace
}  // namespace opsched
