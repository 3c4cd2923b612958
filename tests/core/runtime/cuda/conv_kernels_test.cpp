// Our own dense convolutions, compared with a plain loop in double precision: random shapes, strides, paddings, slices
// and alignments, odd channel counts, every tile and split.
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/kernels/conv_first.hpp"
#include "core/runtime/cuda/kernels/conv_mma.hpp"
#include "core/runtime/cuda/kernels/conv_patch.hpp"
#include "core/runtime/cuda/kernels/conv_pointwise.hpp"
#include "core/runtime/cuda/kernels/conv_simt.hpp"
#include "core/runtime/cuda/kernels/conv_wgmma.hpp"
#include "core/runtime/cuda/kernels/conv_winograd.hpp"
#include "tests/core/runtime/cuda/conv_cases.hpp"

namespace opsched {
namespace {

/// What launch(input, output) computes in fp32 and NCHW; it gets the addresses of the slices.
template <class Launch>
std::vector<double> computed(const ConvCase& c, const DeviceBuffer& input, const Launch& launch) {
  const ConvGeometry& g = c.g;
  std::vector<float> out(g.batch * g.out_stride_n, std::numeric_limits<float>::quiet_NaN());
  const DeviceBuffer output = to_device(out);
  launch(reinterpret_cast<const float*>(input.data()) + c.in_first * g.in_stride,
         reinterpret_cast<float*>(output.data()) + c.out_first * g.out_stride);
  OPSCHED_CUDA(cudaMemcpy(out.data(), output.data(), out.size() * 4, cudaMemcpyDeviceToHost));
  std::vector<double> got;
  for (int n = 0; n < g.batch; ++n)
    for (int k = 0; k < g.k; ++k)
      for (int i = 0; i < g.p * g.q; ++i) got.push_back(out[n * g.out_stride_n + (c.out_first + k) * g.out_stride + i]);
  return got;
}

void check_simt(Fused fused) {
  for (int seed = 0; seed < cases(60); ++seed) {
    const ConvCase c = random_case(seed, false, 192, fused);
    const ConvGeometry& g = c.g;
    const auto want = expected(c);
    const double tolerance = allowed(Precision::fp32, c, want);
    std::vector<std::byte> packed(conv_simt_weight_bytes(g));
    conv_simt_pack(g, c.weights, packed.data());
    const DeviceBuffer input = to_device(c.input), weights = to_device(packed);
    const LoadedResidual<float> residual(c, false);
    for (ConvTile tile : conv_simt_tiles())
      for (int splits : conv_simt_splits(g, tile, 1 << 20, clusters())) {
        tile.splits = splits;
        const auto got = computed(c, input, [&](const float* from, float* to) {
          conv_simt_launch(g, tile, from, to, weights.data(), nullptr, {}, residual);
        });
        ASSERT_LT(error(got, want), tolerance)
            << "seed " << seed << " tile " << tile.rows << "x" << tile.columns << "/" << splits;
      }
  }
}

/// Three square channels, a square window and stride 2, as first layers of networks have them.
ConvCase first_layer(int window, int batch, int side) {
  std::mt19937 rng(5);
  ConvCase c{};
  ConvGeometry& g = c.g;
  g.batch = batch, g.c = 3, g.k = 5, g.h = g.w = side, g.r = g.s = window;
  g.stride_h = g.stride_w = 2, g.pad_h = g.pad_w = window / 2;
  g.p = g.q = (side + 2 * g.pad_h - window) / 2 + 1;
  g.act = Activation::relu;
  c.in_channels_whole = g.c, c.out_channels_whole = g.k;
  g.in_stride = std::int64_t{side} * side, g.in_stride_n = g.c * g.in_stride;
  g.out_stride = std::int64_t{g.p} * g.q, g.out_stride_n = g.k * g.out_stride;
  c.input = normal(rng, static_cast<std::size_t>(batch * g.in_stride_n), 1.f);
  c.weights.weight = normal(rng, std::size_t(g.k) * g.c * window * window, 1.f / std::sqrt(3.f * window * window));
  c.weights.bias = normal(rng, static_cast<std::size_t>(g.k), 1.f);
  return c;
}

std::size_t shared_bytes() {
  return static_cast<std::size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
}

/// An fp32 kernel whose blocks compute a number of output channels, its rows.
struct RowsKernel {
  bool (*supports)(const ConvGeometry&);
  std::vector<int> (*rows)(const ConvGeometry&);
  std::vector<std::byte> (*pack)(const ConvCase&, int rows);
  void (*launch)(const ConvGeometry&, int rows, const float* input, float* output, const void* weights,
                 const ConvResidual&);
};

constexpr RowsKernel kWinograd{
    .supports = conv_winograd_supports,
    .rows = [](const ConvGeometry&) { return conv_winograd_rows(shared_bytes()); },
    .pack =
        [](const ConvCase& c, int) {
          std::vector<std::byte> packed(conv_winograd_weight_bytes(c.g));
          conv_winograd_pack(c.g, c.weights, packed.data());
          return packed;
        },
    .launch =
        [](const ConvGeometry& g, int rows, const float* input, float* output, const void* weights,
           const ConvResidual& residual) { conv_winograd_launch(g, rows, input, output, weights, nullptr, residual); }};

constexpr RowsKernel kPointwise{.supports = conv_pointwise_supports,
                                .rows = [](const ConvGeometry&) { return conv_pointwise_rows(); },
                                .pack =
                                    [](const ConvCase& c, int rows) {
                                      std::vector<std::byte> packed(conv_pointwise_weight_bytes(c.g, rows));
                                      conv_pointwise_pack(c.g, rows, c.weights, packed.data());
                                      return packed;
                                    },
                                .launch =
                                    [](const ConvGeometry& g, int rows, const float* input, float* output,
                                       const void* weights, const ConvResidual& residual) {
                                      conv_pointwise_launch(g, rows, input, output, weights, nullptr, residual);
                                    }};

constexpr RowsKernel kFirst{
    .supports = conv_first_supports,
    .rows = [](const ConvGeometry& g) { return conv_first_rows(g, shared_bytes()); },
    .pack =
        [](const ConvCase& c, int rows) {
          std::vector<std::byte> packed(conv_first_weight_bytes(c.g, rows));
          conv_first_pack(c.g, rows, c.weights, packed.data());
          return packed;
        },
    .launch = [](const ConvGeometry& g, int rows, const float* input, float* output, const void* weights,
                 const ConvResidual&) { conv_first_launch(g, rows, input, output, weights, nullptr); }};

/// With every number of rows.
void check_case(const RowsKernel& kernel, const ConvCase& c, const std::string& what) {
  const auto want = expected(c);
  const DeviceBuffer input = to_device(c.input);
  const LoadedResidual<float> residual(c, false);
  for (const int rows : kernel.rows(c.g)) {
    const DeviceBuffer weights = to_device(kernel.pack(c, rows));
    const auto got = computed(
        c, input, [&](const float* from, float* to) { kernel.launch(c.g, rows, from, to, weights.data(), residual); });
    ASSERT_LT(error(got, want), allowed(Precision::fp32, c, want)) << what << " rows " << rows;
  }
}

/// Random cases that the kernel supports. `channels`: at most this many of the input.
void check_random_cases(const RowsKernel& kernel, int channels, Fused fused) {
  int found = 0;
  for (unsigned seed = 0; found < cases(20) && !testing::Test::HasFatalFailure(); ++seed) {
    const ConvCase c = random_case(seed, false, channels, fused);
    if (!kernel.supports(c.g)) continue;
    ++found;
    check_case(kernel, c, "seed " + std::to_string(seed));
  }
}

TEST(ConvPointwise, MatchesTheDefinition) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_random_cases(kPointwise, 192, Fused::nothing);
}

TEST(ConvPointwise, AddsAResidual) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_random_cases(kPointwise, 192, Fused::residual);
}

TEST(ConvWinograd, FitsIntoSharedMemory) {
  EXPECT_EQ(conv_winograd_rows(99 << 10), std::vector{32});
  EXPECT_EQ(conv_winograd_rows(227 << 10), (std::vector{32, 64}));
}

TEST(ConvWinograd, MatchesTheDefinition) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_random_cases(kWinograd, 192, Fused::nothing);
}

TEST(ConvWinograd, AddsAResidual) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_random_cases(kWinograd, 192, Fused::residual);
}

/// 99 KiB: on every GPU since sm_80; 227 KiB: on sm_90.
TEST(ConvFirst, FitsIntoSharedMemory) {
  ConvGeometry g = first_layer(7, 1, 16).g;
  EXPECT_EQ(conv_first_rows(g, 99 << 10), (std::vector{32, 64, 96}));
  g.c = 4;
  EXPECT_EQ(conv_first_rows(g, 99 << 10), (std::vector{32, 64}));
  EXPECT_EQ(conv_first_rows(g, 227 << 10), (std::vector{32, 64, 96}));
}

TEST(ConvFirst, MatchesTheDefinition) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_random_cases(kFirst, 4, Fused::nothing);
}

/// More tiles than blocks that a GPU runs at once.
TEST(ConvFirst, BlocksTakeManyTiles) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  for (const int window : {3, 7}) {
    const ConvCase c = first_layer(window, 40, 112);
    ASSERT_TRUE(conv_first_supports(c.g));
    check_case(kFirst, c, "window " + std::to_string(window));
  }
}

TEST(ConvSimt, MatchesTheDefinition) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_simt(Fused::nothing);
}

TEST(ConvSimt, MatchesTheDefinitionBehindAnAffineLayer) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_simt(Fused::affine);
}

TEST(ConvSimt, MatchesTheDefinitionWithAResidual) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_simt(Fused::residual);
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
void check_mma(Precision precision, Fused fused = Fused::nothing) {
  int checked = 0;
  for (int seed = 0; seed < cases(60); ++seed) {
    const ConvCase c = random_case(seed, true, 192, fused);
    const ConvGeometry& g = c.g;
    const int in_alignment = alignment(g.in_stride, c.in_first, sizeof(T));
    ASSERT_TRUE(fused != Fused::affine || in_alignment == kConvMmaFusedAlignment);
    if (in_alignment < (fused == Fused::nothing ? kConvMmaAlignment : kConvMmaFusedAlignment)) continue;
    const auto want = expected(c);
    const double tolerance = allowed(precision, c, want);
    std::vector<std::byte> packed(conv_mma_weight_bytes(g, precision));
    conv_mma_pack(g, precision, c.weights, packed.data());
    const DeviceBuffer input = to_device(channels_last<T>(c)), weights = to_device(packed);
    const LoadedResidual<T> residual(c, true);
    for (ConvTile tile : conv_mma_tiles(fused == Fused::affine))
      for (int splits : conv_mma_splits(g, tile, precision, 1 << 20, clusters())) {
        tile.splits = splits;
        const DeviceBuffer output = poisoned_output<T>(c);
        conv_mma_launch(g, precision, tile, in_alignment, alignment(g.out_stride, c.out_first, sizeof(T)),
                        reinterpret_cast<const T*>(input.data()) + c.in_first,
                        reinterpret_cast<T*>(output.data()) + c.out_first, weights.data(), nullptr, {}, residual);
        ASSERT_LT(error(channels_first<T>(c, output), want), tolerance)
            << "seed " << seed << " tile " << tile.rows << "x" << tile.columns << "/" << splits;
        ++checked;
      }
  }
  EXPECT_GT(checked, 0);
}

TEST(ConvMma, MatchesTheDefinitionInTf32) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<float>(Precision::tf32);
}

TEST(ConvMma, IsAsAccurateAsFp32InTf32x3) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  for (const Fused fused : {Fused::nothing, Fused::affine, Fused::residual}) check_mma<float>(Precision::tf32x3, fused);
}

TEST(ConvMma, MatchesTheDefinitionInFp16) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<__half>(Precision::fp16);
}

TEST(ConvMma, MatchesTheDefinitionBehindAnAffineLayer) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<float>(Precision::tf32, Fused::affine);
  check_mma<__half>(Precision::fp16, Fused::affine);
}

TEST(ConvMma, MatchesTheDefinitionWithAResidual) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_mma<float>(Precision::tf32, Fused::residual);
  check_mma<__half>(Precision::fp16, Fused::residual);
}

template <class T>
void check_wgmma(Precision precision, Fused fused = Fused::nothing) {
  int checked = 0;
  for (int seed = 0; checked < cases(40); ++seed) {
    ASSERT_LT(seed, 10000) << "few cases that the kernel supports";
    const ConvCase c = random_case(seed, true, 192, fused);
    const ConvGeometry& g = c.g;
    if (alignment(g.in_stride, c.in_first, sizeof(T)) < 16) continue;
    const std::vector<WgmmaTile> tiles = conv_wgmma_tiles(g, precision);
    if (tiles.empty()) continue;
    ++checked;
    const auto want = expected(c);
    const double tolerance = allowed(precision, c, want);
    const DeviceBuffer input = to_device(channels_last<T>(c));
    const LoadedResidual<T> residual(c, true);
    for (WgmmaTile tile : tiles)
      for (const int least = precision == Precision::tf32x3 ? tile.depth : 1; tile.depth >= least; --tile.depth) {
        std::vector<std::byte> packed(conv_wgmma_weight_bytes(g, precision));
        conv_wgmma_pack(g, precision, tile, c.weights, packed.data());
        const DeviceBuffer weights = to_device(packed);
        const DeviceBuffer output = poisoned_output<T>(c);
        conv_wgmma_launch(g, precision, tile, alignment(g.out_stride, c.out_first, sizeof(T)),
                          reinterpret_cast<const T*>(input.data()) + c.in_first,
                          reinterpret_cast<T*>(output.data()) + c.out_first, weights.data(), nullptr, residual);
        OPSCHED_CUDA(cudaDeviceSynchronize());
        ASSERT_LT(error(channels_first<T>(c, output), want), tolerance)
            << "seed " << seed << " tile " << tile.rows << "x" << tile.columns << "/" << tile.blocks << " depth "
            << tile.depth << ": " << g.batch << "x" << g.c << "x" << g.h << "x" << g.w << " to " << g.k << "x" << g.p
            << "x" << g.q << ", window " << g.r << "x" << g.s << ", padding " << g.pad_h << "x" << g.pad_w
            << ", dilation " << g.dilation_h << "x" << g.dilation_w;
      }
  }
}

TEST(ConvWgmma, MatchesTheDefinitionInTf32) {
  if (gpu_count() == 0 || major_capability() != 9) GTEST_SKIP() << "no GPU with sm_90";
  check_wgmma<float>(Precision::tf32);
}

TEST(ConvWgmma, IsAsAccurateAsFp32InTf32x3) {
  if (gpu_count() == 0 || major_capability() != 9) GTEST_SKIP() << "no GPU with sm_90";
  for (const Fused fused : {Fused::nothing, Fused::residual}) check_wgmma<float>(Precision::tf32x3, fused);
}

TEST(ConvWgmma, MatchesTheDefinitionInFp16) {
  if (gpu_count() == 0 || major_capability() != 9) GTEST_SKIP() << "no GPU with sm_90";
  check_wgmma<__half>(Precision::fp16);
}

TEST(ConvWgmma, MatchesTheDefinitionWithAResidual) {
  if (gpu_count() == 0 || major_capability() != 9) GTEST_SKIP() << "no GPU with sm_90";
  check_wgmma<float>(Precision::tf32, Fused::residual);
  check_wgmma<__half>(Precision::fp16, Fused::residual);
}

template <class T>
void check_patch(Precision precision, Fused fused = Fused::nothing) {
  for (int seed = 0; seed < cases(60); ++seed) {
    const bool thin = seed % 2 == 0;
    const ConvCase c = random_case(seed, true, thin ? kConvThinChannels : 192, fused);
    const ConvGeometry& g = c.g;
    if (g.c > kConvThinChannels && alignment(g.in_stride, c.in_first, sizeof(T)) < 16) continue;
    const auto want = expected(c);
    const double tolerance = allowed(precision, c, want);
    std::vector<std::byte> packed(conv_patch_weight_bytes(g, precision));
    conv_patch_pack(g, precision, c.weights.weight.data(), c.weights.bias.data(), packed.data());
    const DeviceBuffer input = to_device(channels_last<T>(c)), weights = to_device(packed);
    const LoadedResidual<T> residual(c, true);
    ASSERT_FALSE(thin && g.dilation_w == 1 && conv_patch_tiles(g, precision).empty()) << "seed " << seed;
    for (const PatchTile& tile : conv_patch_tiles(g, precision)) {
      const DeviceBuffer output = poisoned_output<T>(c);
      conv_patch_launch(g, precision, tile, alignment(g.out_stride, c.out_first, sizeof(T)),
                        reinterpret_cast<const T*>(input.data()) + c.in_first,
                        reinterpret_cast<T*>(output.data()) + c.out_first, weights.data(), nullptr, {}, residual);
      ASSERT_LT(error(channels_first<T>(c, output), want), tolerance)
          << "seed " << seed << " tile " << tile.channels << "/" << tile.rows << "/" << tile.warps;
    }
  }
}

TEST(ConvPatch, MatchesTheDefinitionInTf32) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_patch<float>(Precision::tf32);
}

TEST(ConvPatch, IsAsAccurateAsFp32InTf32x3) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  for (const Fused fused : {Fused::nothing, Fused::residual}) check_patch<float>(Precision::tf32x3, fused);
}

TEST(ConvPatch, MatchesTheDefinitionInFp16) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_patch<__half>(Precision::fp16);
}

TEST(ConvPatch, MatchesTheDefinitionWithAResidual) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  check_patch<float>(Precision::tf32, Fused::residual);
  check_patch<__half>(Precision::fp16, Fused::residual);
}

}  // namespace
}  // namespace opsched
