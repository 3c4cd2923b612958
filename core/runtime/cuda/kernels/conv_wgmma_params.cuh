// What the kernel of conv_wgmma.cu is given, and what its warps share.
#pragma once

#include "core/runtime/cuda/kernels/conv_geometry.hpp"
#include "core/runtime/cuda/kernels/copy_async.cuh"
#include "core/runtime/cuda/kernels/device_math.cuh"

namespace opsched::wgmma {

constexpr int kChunk = 16;         // bytes of channels copied at a time
constexpr int kStep = 2 * kChunk;  // bytes of channels per product
constexpr int kMostDepth = 4;      // steps per part of the channels
constexpr int kTermDepth = 2;      // steps per part in tf32x3, whose pixels a thread holds in registers
constexpr int kPatches = 2, kMostStages = 32;
/// Bytes of a pixel in a patch, whether used or not: those that a tensor copy can swizzle.
constexpr int pixel_bytes(int depth) { return depth <= 2 ? 64 : 128; }
constexpr int kGroup = 128;  // threads of a warp group
constexpr int kConsumers = 2 * kGroup;
/// One warp loads pixels, and one weights. With one block per multiprocessor they belong to a whole warp group, which
/// can give up registers.
constexpr int threads_of(int blocks) { return kConsumers + (blocks == 1 ? kGroup : 64); }
constexpr int kSlab = 32;  // channels of a slab of sums
/// Bytes from one pixel of a slab to the next: eight pixels' first words lie in different banks.
constexpr int slab_pitch(int element) { return kSlab * element + (element == 2 ? 16 : 32); }
constexpr int kSlabBytes = 16 * slab_pitch(4);                        // a warp's
constexpr int kMostShared = 227 << 10, kMostSharedOfTwo = 113 << 10;  // bytes for one block, and for each of two

struct Params {
  ConvGeometry g;
  native::FastDiv row, image;  // padded grid: pixels per row, rows per image
  native::FastDiv row_tiles;
  int tiles, row_count;  // row_count: output channels, padded
  int steps, parts;      // of the channels
  int box, boxes;        // pixels that are loaded at once, and such boxes per row
  int image_pixels;      // of the output
  int pixel;             // bytes, in a patch
  bool flat;             // rows of the grid lie behind one another in the tensor's axis w
  int stages, stage_bytes, patch_bytes;
  char* output;
  const char* weights;
  const float* bias;
  bool wide_output;  // sixteen bytes can be stored at once, and loaded from the residual
  const char* residual;
};

/// The steps of part i of the channels.
struct Part {
  int first, steps;
};
__host__ __device__ inline Part part_of(int steps, int parts, int i) {
  const int base = steps / parts, more = steps % parts;
  return {i * base + (i < more ? i : more), base + (i < more)};
}

/// Shared addresses of a block's buffers and barriers.
struct Shared {
  unsigned patches, stages, slabs, barriers;
  __device__ Shared(const char* memory, const Params& params)
      : patches(native::shared_address(memory)),
        stages(patches + kPatches * params.patch_bytes),
        slabs(stages + params.stages * params.stage_bytes),
        barriers(slabs + kConsumers / 32 * kSlabBytes) {}
  __device__ unsigned patch_full(int i) const { return barriers + i * 8; }
  __device__ unsigned patch_empty(int i) const { return barriers + (kPatches + i) * 8; }
  __device__ unsigned stage_full(int i) const { return barriers + (2 * kPatches + i) * 8; }
  __device__ unsigned stage_empty(int i) const { return barriers + (2 * kPatches + kMostStages + i) * 8; }
};
constexpr int kOtherBytes = (2 * kPatches + 2 * kMostStages) * 8 + kConsumers / 32 * kSlabBytes;

/// Counts through buffers that are used in turn; `parity` is that of the current use of the buffer.
struct Turn {
  int index = 0;
  unsigned parity = 0;
  __device__ void next(int count) {
    if (++index == count) index = 0, parity ^= 1;
  }
};

}  // namespace opsched::wgmma
