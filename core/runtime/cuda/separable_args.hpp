// What host and device code of the separable convolution share.
#pragma once

#include "core/runtime/cuda/separable.hpp"

namespace opsched::native {

constexpr int kPackBytes = 64;    // channels of a pixel: 16 in tf32, 32 in fp16
constexpr int kRing = 3;          // turns of weights in flight
constexpr int kStrip = 4;         // pixels of a row that a thread convolves
constexpr int kWarpColumns = 32;  // output channels of a warp

struct SeparableArgs {
  Sources sources;
  Window window;
  SeparablePlan plan;
  int outputs, rows_padded, vector;
  Activation pre, middle, post;
  bool wide_output;
  const char *weights, *taps;
  const float *bias, *taps_bias;
  char* out;
  std::int64_t out_stride;
};

/// For a precision's element type.
template <class T>
void launch_separable(cudaStream_t stream, const SeparableTile& tile, const SeparableArgs& args);

}  // namespace opsched::native
