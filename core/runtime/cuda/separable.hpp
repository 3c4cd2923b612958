// Own separable convolution for small problems: sums and activates its inputs, a depthwise and a 1x1
// convolution after it, in one kernel (NHWC, on the matrix units, tf32 and fp16).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "core/precision.hpp"
#include "core/runtime/cuda/native_kernels.hpp"
#include "core/runtime/tensor.hpp"

namespace opsched::native {

/// out[pixel][k] = post(bias + sum over c of weight * middle(depthwise(pre(sum of inputs))))
struct SeparableGeometry {
  Window window;  ///< of the depthwise convolution: square kernel of 3, 5 or 7, stride 1 or 2
  int outputs = 0;
  Precision precision = Precision::tf32;
  Activation pre = Activation::none, middle = Activation::none, post = Activation::none;
};

/// A block computes `channels` output channels of up to `pixels` pixels, a rectangle; `splits` blocks (a
/// cluster, so 1 before sm_90) share the input channels between them, so that within a cluster no
/// depthwise convolution is done twice.
struct SeparableTile {
  int pixels = 0, channels = 0, splits = 1;
};

/// How a problem is cut. A pack is 64 bytes of channels of a pixel.
struct SeparablePlan {
  int tile_h = 0, tile_w = 0, tiles_y = 0, tiles_x = 0;   ///< output pixels of a block; blocks
  int strips_x = 0;                                       ///< four pixels of a row, side by side in a tile
  int window_h = 0, window_w = 0;                         ///< input pixels of a tile, strips filled up
  int packs = 0;                                          ///< of all input channels
  int turn_packs = 0, chunk_turns = 0;                    ///< packs multiplied between two barriers; turns a chunk
  int left = 0, window_at = 0, taps_at = 0, bias_at = 0;  ///< bytes into shared memory: depthwise results, ...
  int ring_at = 0;                                        ///< weights on their way to the matrix units
  int shared_bytes = 0, threads = 0;
  int warps_m = 0, warp_rows = 0;  ///< warps along pixels; pixels of a warp
};

bool supports(const SeparableGeometry& g);
/// All tiles, splits included, on a GPU with so much shared memory a block.
std::vector<SeparableTile> separable_tiles(const SeparableGeometry& g, bool clusters, int shared_bytes);
/// The few of them worth measuring, by a rule of thumb: none where two kernels in turn must be faster.
std::vector<SeparableTile> promising_tiles(const SeparableGeometry& g, int multiprocessors, bool clusters,
                                           int shared_bytes);
/// Nothing if this tile does not fit into `shared_bytes`, or does not exist.
std::optional<SeparablePlan> plan_separable(const SeparableGeometry& g, const SeparableTile& tile, int shared_bytes);

/// Packed weights: as conv_mma_pack() has those of the 1x1 convolution; then [pack][tap][64 bytes of
/// channels] and biases (float, padded to packs) of the depthwise convolution.
std::size_t separable_weight_bytes(const SeparableGeometry& g);
std::vector<std::byte> pack_separable(const SeparableGeometry& g, const ConvWeights& depthwise,
                                      const ConvWeights& pointwise);

/// Launches on the current device. `vector`: channels of the inputs that can be read at once (1, 2, 4; 8 in
/// fp16); `wide_output`: four channels can be written at once. Throws Error where CUDA refuses.
void separable(cudaStream_t stream, const SeparableGeometry& g, const SeparableTile& tile, const SeparablePlan& plan,
               int vector, bool wide_output, const Sources& sources, const void* packed, void* out,
               std::int64_t out_stride);

}  // namespace opsched::native
