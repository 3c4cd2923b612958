// How separable convolutions are cut into blocks; needs no GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/error.hpp"
#include "core/runtime/cuda/cudnn_graph.hpp"
#include "core/runtime/cuda/separable.hpp"

namespace opsched::native {
namespace {

constexpr int kMultiprocessors = 132, kSharedBytes = 227 << 10;  // of an H200

SeparableGeometry geometry(int batch, int channels, int size, int kernel, int stride, int outputs,
                           Precision precision) {
  SeparableGeometry g;
  const int padding = kernel / 2, out = (size + 2 * padding - kernel) / stride + 1;
  g.window = {batch, channels, size, size, out, out, kernel, kernel, stride, stride, padding, padding};
  g.outputs = outputs;
  g.precision = precision;
  return g;
}

TEST(SeparableTiles, AreFewAndFit) {
  std::mt19937 rng(1);
  const auto pick = [&](std::initializer_list<int> from) {
    return *(from.begin() + std::uniform_int_distribution<int>(0, static_cast<int>(from.size()) - 1)(rng));
  };
  for (int i = 0; i < 300; ++i) {
    const auto g =
        geometry(pick({1, 2, 16, 128}), pick({3, 42, 77, 154, 336, 1008}), pick({7, 14, 28, 83}), pick({3, 5, 7}),
                 pick({1, 2}), pick({7, 42, 109, 336, 1056}), pick({0, 1}) ? Precision::fp16 : Precision::tf32);
    const bool clusters = pick({0, 1});
    const int shared = pick({99 << 10, kSharedBytes});
    const auto all = separable_tiles(g, clusters, shared);
    const auto promising = promising_tiles(g, kMultiprocessors, clusters, shared);
    EXPECT_LE(promising.size(), 8u);
    for (const SeparableTile& tile : promising) {
      const auto plan = plan_separable(g, tile, shared);
      ASSERT_TRUE(plan);
      EXPECT_LE(plan->shared_bytes, shared / 2 + 512);  // two blocks fit
      EXPECT_LE(plan->tile_h * plan->tile_w, tile.pixels);
      EXPECT_GE(plan->tiles_y * plan->tile_h, g.window.oh);
      EXPECT_GE(plan->tiles_x * plan->tile_w, g.window.ow);
      EXPECT_TRUE(clusters || tile.splits == 1);
      EXPECT_TRUE(std::ranges::any_of(all, [&](const SeparableTile& t) {
        return t.pixels == tile.pixels && t.channels == tile.channels && t.splits == tile.splits;
      }));
    }
  }
}

TEST(SeparableTiles, PromiseWhereLaunchesAreLong) {
  for (Precision precision : {Precision::tf32, Precision::fp16}) {
    const auto small = geometry(1, 154, 14, 3, 1, 154, precision);
    const auto tiles = promising_tiles(small, kMultiprocessors, true, kSharedBytes);
    EXPECT_GE(tiles.size(), 3u);
    EXPECT_TRUE(std::ranges::any_of(tiles, [](const SeparableTile& t) { return t.splits > 1; }));  // few tiles
    // Many output channels: every block of them would do the depthwise convolution again.
    const auto large = geometry(128, 1008, 28, 7, 1, 2048, precision);
    EXPECT_TRUE(promising_tiles(large, kMultiprocessors, true, kSharedBytes).empty());
    EXPECT_FALSE(separable_tiles(large, true, kSharedBytes).empty());
  }
}

TEST(EngineChoices, AreKeptAsText) {
  for (const char* text : {"38", "38:2=1,5=0", "38@66", "38:2=1,5=0@33"})
    EXPECT_EQ(to_string(cudnn::parse_engine_choice(text)), text);
  EXPECT_EQ(cudnn::parse_engine_choice("38:2=1@66").multiprocessors, 66);
  for (const char* text : {"", "x", "38:", "38@", "38@0", "38@66,", "38:2=1@-3"})
    EXPECT_THROW(cudnn::parse_engine_choice(text), Error) << text;
}

}  // namespace
}  // namespace opsched::native
