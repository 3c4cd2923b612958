// Depthwise convolution of float NCHW tensors through shared memory.
#include "core/runtime/cuda/kernels/depthwise.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::native {
namespace {

struct TiledArgs {
  Window window;
  int tile_rows, tile_cols, tile_channels;  // of the output
  int row_groups;                           // groups of R rows in a tile
  int in_cols;                              // of the input tile in shared memory
  FastDiv in_area, in_cols_div;             // size of its plane and row
  FastDiv tiles_x, cols, groups;
  bool pre_relu;
  Activation post;
};

constexpr int kMaxSharedBytes = 48 << 10;

int in_extent(int out, int stride, int kernel) { return (out - 1) * stride + kernel; }

/// A block computes a tile of `tile_channels` channels; a thread computes one column of R rows of it.
template <int K, int S, int R>
__global__ void tiled_kernel(const __grid_constant__ Sources sources, const float* __restrict__ weights,
                             const float* __restrict__ bias, float* __restrict__ out, std::int64_t out_stride,
                             const __grid_constant__ TiledArgs args) {
  extern __shared__ float tile[];
  const Window& g = args.window;
  std::uint32_t tile_y = blockIdx.x;
  const int out_x0 = args.tiles_x.split(tile_y) * args.tile_cols, out_y0 = tile_y * args.tile_rows;
  const int channel0 = blockIdx.y * args.tile_channels;
  const int channels = min(args.tile_channels, g.c - channel0);
  const std::int64_t image = blockIdx.z;

  std::uint32_t c = threadIdx.x;
  const int x = args.cols.split(c), group = args.groups.split(c);
  const bool active = c < channels && out_x0 + x < g.ow && out_y0 + group * R < g.oh;
  float w[K * K];
  float acc[R];
  if (active) {
#pragma unroll
    for (int i = 0; i < K * K; ++i) w[i] = weights[(channel0 + c) * (K * K) + i];
#pragma unroll
    for (int r = 0; r < R; ++r) acc[r] = bias[channel0 + c];
  }

  await_predecessor();

  constexpr int kBatch = K == 3 ? 4 : 8;  // loads in flight
  const int area = args.in_area.divisor;
  const int in_y0 = out_y0 * S - g.ph, in_x0 = out_x0 * S - g.pw;
  const int loads = channels * area;
  for (int first = threadIdx.x; first < loads; first += kBatch * blockDim.x) {
    int at[kBatch];  // offset in the image; negative: padding
    float value[kBatch];
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      std::uint32_t plane = first + b * blockDim.x;
      const bool wanted = plane < loads;
      std::uint32_t row = args.in_area.split(plane);
      const int col = args.in_cols_div.split(row);
      const int iy = in_y0 + static_cast<int>(row), ix = in_x0 + col;
      const bool inside = wanted && static_cast<unsigned>(iy) < static_cast<unsigned>(g.h) &&
                          static_cast<unsigned>(ix) < static_cast<unsigned>(g.w);
      at[b] = inside ? (channel0 + static_cast<int>(plane)) * static_cast<int>(g.in_plane) + iy * g.w + ix : -1;
      value[b] = 0.f;
    }
    for (int s = 0; s < sources.count; ++s) {
      const float* from = static_cast<const float*>(sources.list[s].data) + image * sources.list[s].stride;
#pragma unroll
      for (int b = 0; b < kBatch; ++b) {
        if (at[b] >= 0) value[b] += from[at[b]];
      }
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const int i = first + b * blockDim.x;
      if (i < loads) tile[i] = args.pre_relu ? larger(value[b], 0.f) : value[b];  // 0 for padding
    }
  }
  __syncthreads();
  if (!active) return;

  const float* in = tile + c * area + group * (R * S) * args.in_cols + x * S;
#pragma unroll
  for (int row = 0; row < (R - 1) * S + K; ++row) {
    float v[K];
#pragma unroll
    for (int k = 0; k < K; ++k) v[k] = in[row * args.in_cols + k];
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int ky = row - r * S;
      if (ky < 0 || ky >= K) continue;
#pragma unroll
      for (int k = 0; k < K; ++k) acc[r] = fmaf(w[ky * K + k], v[k], acc[r]);
    }
  }
  activate_light(args.post, acc);
  float* to =
      out + image * out_stride + (std::int64_t{channel0} + c) * g.out_plane + (out_y0 + group * R) * g.ow + out_x0 + x;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    if (out_y0 + group * R + r < g.oh) to[r * g.ow] = acc[r];
  }
}

/// The largest tile of about `threads` threads whose input fits into shared memory.
template <int K, int S, int R>
TiledArgs plan(const DepthwiseCall& call) {
  const Window& g = call.window;
  const int threads = call.variant.threads;
  TiledArgs a;
  a.window = g;
  a.pre_relu = call.pre == Activation::relu;
  a.post = call.post;
  const int splits_x = (g.ow + threads - 1) / threads;
  a.tile_cols = (g.ow + splits_x - 1) / splits_x;
  const int all_groups = (g.oh + R - 1) / R;
  const int fitting = std::max(1, threads / a.tile_cols);
  const int splits_y = (all_groups + fitting - 1) / fitting;
  a.row_groups = (all_groups + splits_y - 1) / splits_y;
  a.in_cols = in_extent(a.tile_cols, S, K);
  const auto bytes = [&] { return in_extent(a.row_groups * R, S, K) * a.in_cols * int{sizeof(float)}; };
  while (bytes() > kMaxSharedBytes && a.row_groups > 1) --a.row_groups;
  a.tile_rows = a.row_groups * R;
  const int by_threads = std::max(1, threads / (a.tile_cols * a.row_groups));
  a.tile_channels = std::clamp(std::min(by_threads, kMaxSharedBytes / bytes()), 1, g.c);
  a.in_area = FastDiv(in_extent(a.tile_rows, S, K) * a.in_cols);
  a.in_cols_div = FastDiv(a.in_cols);
  a.tiles_x = FastDiv((g.ow + a.tile_cols - 1) / a.tile_cols);
  a.cols = FastDiv(a.tile_cols);
  a.groups = FastDiv(a.row_groups);
  return a;
}

template <int K, int S, int R>
void launch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
            const float* bias, float* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const TiledArgs args = plan<K, S, R>(call);
  const int tiles_y = (g.oh + args.tile_rows - 1) / args.tile_rows;
  const dim3 blocks(args.tiles_x.divisor * tiles_y, (g.c + args.tile_channels - 1) / args.tile_channels, g.n);
  const int active = args.tile_channels * args.row_groups * args.tile_cols;
  const int threads = (active + 31) / 32 * 32;
  const std::size_t shared = std::size_t{args.in_area.divisor} * args.tile_channels * sizeof(float);
  launch_overlapping(tiled_kernel<K, S, R>, {blocks, dim3(threads), shared}, stream, sources, weights, bias, out,
                     out_stride, args);
}

template <int K, int S>
auto pick_rows(int rows) {
  return rows == 4 ? launch<K, S, 4> : rows == 2 ? launch<K, S, 2> : launch<K, S, 1>;
}

template <int K>
auto pick_stride(int stride, int rows) {
  return stride == 1 ? pick_rows<K, 1>(rows) : pick_rows<K, 2>(rows);
}

}  // namespace

void depthwise_tiled(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
                     const float* bias, float* out, std::int64_t out_stride) {
  const Window& g = call.window;
  const auto launch = g.kh == 3   ? pick_stride<3>(g.sh, call.variant.rows)
                      : g.kh == 5 ? pick_stride<5>(g.sh, call.variant.rows)
                                  : pick_stride<7>(g.sh, call.variant.rows);
  launch(stream, call, sources, weights, bias, out, out_stride);
}

}  // namespace opsched::native
