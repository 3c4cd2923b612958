// A dense convolution as seen by our own kernels.
#pragma once

#include <cstdint>

#include "core/graph/activation.hpp"
#include "core/round_up.hpp"

namespace opsched {

/// As a matrix product: out[pixel][k] = act(bias[k] + sum over (r, s, c) of weight * pre(input)), where pre(x) is x,
/// or factor * x + bias of channel c, optionally followed by ReLU. Padding at the end needs no parameter, because p
/// and q give the number of windows. Strides in elements; NCHW rows and NHWC pixels of a row are laid out by
/// slice_layout().
struct ConvGeometry {
  int batch = 1;
  int groups = 1;           ///< each reads its own channels and writes its own; c and k are those of one group
  int c = 0, h = 0, w = 0;  ///< input
  int k = 0, p = 0, q = 0;  ///< output
  int r = 1, s = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  std::int64_t in_stride_n = 0, out_stride_n = 0;
  /// NCHW: from channel to channel. NHWC: from pixel to pixel.
  std::int64_t in_stride = 0, out_stride = 0;
  bool pre_relu = false, pre_affine = false;  ///< pre_affine: 1x1 without padding
  Activation act;                             ///< one that native::is_light() names
  int dilation_h = 1, dilation_w = 1;
  /// out = post(act(...) + residual), where post is none or ReLU. Strides of the residual as of the output.
  bool residual = false, post_relu = false;
  std::int64_t residual_stride_n = 0, residual_stride = 0;
};

/// Where the residual of a convolution is, and the alignment in bytes of every pixel (NHWC). No element of it is an
/// element of the output.
struct ConvResidual {
  const void* data = nullptr;  ///< null without a residual
  int alignment = 0;
};

/// How the product is tiled: a block computes `rows` output channels of `columns` pixels; `splits` blocks (a cluster,
/// so 1 before sm_90) divide the sum.
struct ConvTile {
  int rows = 0, columns = 0, splits = 1;
  bool operator==(const ConvTile&) const = default;
};

/// Rows of weights packed for tiles: the output channels of each group, padded to a multiple of `pad`.
inline int packed_rows(const ConvGeometry& g, int pad) { return g.groups * round_up(g.k, pad); }
/// The row of output channel k of all groups.
inline int packed_row(const ConvGeometry& g, int pad, int k) { return k / g.k * round_up(g.k, pad) + k % g.k; }
/// Tiles along the output channels of all groups.
inline int row_tiles(const ConvGeometry& g, const ConvTile& tile) {
  return g.groups * ((g.k + tile.rows - 1) / tile.rows);
}

}  // namespace opsched
