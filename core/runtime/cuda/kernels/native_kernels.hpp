// Kernels of this project: launches; the caller chooses the variant.
//
// Tensors are NCHW or NHWC with any channel slice of a wider buffer, and any rows of a higher one. Within one such
// tensor most strides follow from its shape: NHWC has a free pixel stride, NCHW a free batch stride and a free channel
// stride. `stride` below is the pixel's or the batch's, a plane the channel's; in elements. Rows of NHWC: a batch of 1.
// Elements are float, or half in NHWC. Sums run in fp32. Launches throw Error if CUDA refuses them.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/graph/activation.hpp"
#include "core/graph/operator.hpp"
#include "core/graph/pool_type.hpp"
#include "core/tensor_format.hpp"

namespace opsched {
struct ResizeTap;  // resize_taps.hpp
}

namespace opsched::native {

/// Inputs that a kernel adds as it reads them.
constexpr int kMaxSources = 32;
struct Sources {
  struct Source {
    const void* data;
    std::int64_t stride;
  };
  Source list[kMaxSources];
  int count = 0;
};

/// Activations that all our convolutions can apply themselves. The others would make many kernels larger for few
/// networks, so they are a separate pass over the result.
constexpr bool is_light(const Activation& act) {
  return act != Activation::tanh && act != Activation::elu && act != Activation::gelu && act != Activation::softplus;
}
/// Activations that every kernel can apply to its input as it reads it.
constexpr bool is_plain(const Activation& act) { return act == Activation::none || act == Activation::relu; }

/// Geometry of a window operator on a batch. Padding at the end needs no parameter: the output size gives the number
/// of windows, and elements outside the input are not read.
struct Window {
  int n, c, h, w;  ///< input
  int oh, ow;      ///< output height and width
  int kh, kw, sh, sw, ph, pw;
  int dh = 1, dw = 1;                ///< from tap to tap
  std::int64_t in_plane, out_plane;  ///< NCHW: of every input, of the output
};

/// Bytes moved at once in gathers, epilogues and pools: a vector of `vector` elements. Every address, stride and inner
/// extent must be a multiple of it.
struct GatherCall {
  TensorFormat layout;
  bool half;
  int vector;
  int n, c, h, w;
  Activation act;
};
/// out = act(sum of sources); `out` may be one of them. In NCHW the planes of an image lie behind one another.
void gather(cudaStream_t stream, const GatherCall& call, const Sources& sources, void* out, std::int64_t out_stride);

/// out = act(in + bias per channel); `in` has dense planes. bias is float. `out_plane`: NCHW.
void bias_act(cudaStream_t stream, const GatherCall& call, const void* in, std::int64_t in_stride, const float* bias,
              void* out, std::int64_t out_stride, std::int64_t out_plane);

struct PoolCall {
  TensorFormat layout;
  bool half;
  int vector;  ///< channels at a time; NHWC only
  Window window;
  PoolType type;
  bool count_padding;
  Activation pre;               ///< is_plain
  float divisor = 1;            ///< for a global average: number of pixels, including missing ones
  const float* bias = nullptr;  ///< by channel, added to an average that is not global
  Activation post{};            ///< is_plain; behind the bias, and only with one
};
void pool(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out, std::int64_t out_stride);
/// A pool of that type.
void global_average(cudaStream_t stream, const PoolCall& call, const Sources& sources, void* out,
                    std::int64_t out_stride);

/// Tensors that depthwise tiles and planes add.
constexpr int kMostTileInputs = 5;
/// How a depthwise convolution is divided among threads.
struct DepthwiseVariant {
  enum class Kind {
    /// NCHW float, square 3, 5, 7 with stride 1 or 2: input tile in shared memory; a thread computes `rows` rows.
    tiled,
    /// NCHW float, square 3, 5, 7 with stride 1 or 2 and half the window as padding at the sides, one input (3x3 with
    /// stride 1: up to kMostTileInputs), inputs aligned to `vector` elements and outputs to `vector` / stride: a lane
    /// slides down the columns of a vector (of at least one output) and computes `rows` rows.
    planes,
    strip,  ///< NHWC, same kernels: a thread computes `vector` channels of `cols` neighbouring pixels of `rows` rows
    /// NHWC, same kernels, one input (3x3: up to kMostTileInputs), all rows aligned to 16 bytes: rows of inputs flow
    /// through shared memory; a thread computes 2 channels of `cols` neighbouring pixels, a block `rows` rows.
    tile,
    generic,  ///< general: a thread computes `vector` channels (1 in NCHW) of an output pixel
  };
  Kind kind = Kind::generic;
  int rows = 1;    ///< tiled: 1, 2 or 4; strip: 1; also 4 if the stride is 1 and vector * cols = 8; tile, planes: any
  int vector = 1;  ///< strip: 1, 2 or 4; generic: 8, too, of half; tile: 2; planes: 1, 2 or 4
  int cols = 2;    ///< strip: 2; also 4 for vectors of 1 and 2; tile: 4
  int threads = 128;  ///< a block, about; tile: at most, up to 256
};
struct DepthwiseCall {
  TensorFormat layout;
  bool half;
  Window window;
  Activation pre, post;
  int inputs;  ///< number of tensors to add
  DepthwiseVariant variant;
};
/// Does this variant support it? (The caller checks the alignment of vectors.)
bool supports(const DepthwiseCall& call);
/// Weights: [c][kh][kw] in NCHW, [kh][kw][c] in NHWC, elements as the tensors'; bias is float.
void depthwise(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const void* weights,
               const float* bias, void* out, std::int64_t out_stride);

/// A factor of a product: its start, and its strides along the axes of a call (0 where it is broadcast).
struct Factors {
  struct Factor {
    const void* data;
    std::int64_t stride[4];
  };
  Factor list[kMaxSources];
  int count = 0;
};
struct MultiplyCall {
  bool half;
  int vector;  ///< along the first axis, if factors have a stride of 1 or 0 there and the product one of 1
  std::int64_t extent[4];
  std::int64_t out_stride[4];
  Activation act;
};
/// out = act(product of factors)
void multiply(cudaStream_t stream, const MultiplyCall& call, const Factors& factors, void* out);

struct ResizeCall {
  TensorFormat layout;
  bool half, linear;
  int vector;  ///< channels at a time; NHWC only
  int n, c, h, w, oh, ow;
};
/// `taps`: of the rows, then of the columns; device memory.
void resize(cudaStream_t stream, const ResizeCall& call, const void* in, std::int64_t in_stride, const ResizeTap* taps,
            void* out, std::int64_t out_stride);

/// Elements from image to image, channel to channel, row to row and pixel to pixel.
struct Strides {
  std::int64_t n, c, h, w;
};
/// A layer of an input of this shape.
struct ChannelCall {
  bool half;
  int n, c, h, w;
  Strides in, out;
};
void depth_to_space(cudaStream_t stream, const ChannelCall& call, const DepthToSpace& how, const void* in, void* out);
void pixel_row(cudaStream_t stream, const ChannelCall& call, const PixelRow& how, const void* in, void* out);
void softmax(cudaStream_t stream, const ChannelCall& call, const Softmax& how, const void* in, void* out);
void normalize(cudaStream_t stream, const ChannelCall& call, const Normalize& how, const void* in, void* out);

}  // namespace opsched::native
