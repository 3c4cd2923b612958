// Depthwise convolution of float NCHW planes, without shared memory. The lanes of a warp hold a row of one or more
// planes (of wide planes, a part of a row), neighbours exchange what windows share, and a warp slides down. So every
// input is read once, as vectors, and the next rows are on their way meanwhile.
#include "core/runtime/cuda/kernels/depthwise.cuh"
#include "core/runtime/cuda/kernels/launch.cuh"

namespace opsched::native {
namespace {

/// What a lane holds of a row.
template <int S, int V>
struct Lane {
  static constexpr int in = V < S ? S : V;  // input columns
  static constexpr int out = in / S;        // output columns
};

struct PlanesArgs {
  Window window;
  int rows;       // of outputs, per warp
  int planes;     // of the batch
  int row_lanes;  // of a whole row
  int halo;       // lanes at both ends of a part of a row that only help their neighbours
  FastDiv lanes;  // of a row, or of a part of it
  FastDiv channels;
  float least;  // lower bound of the input
  Activation post;
};

/// A warp computes `rows` rows of 32 / lanes planes. Sums of output rows that are not complete are in registers.
/// `S`: stride. `V`: input columns of a load. `N`: number of inputs, whose rows are loaded `kPeriod` ahead.
template <int K, int S, int V, int N>
__global__ void __launch_bounds__(128)
    planes_kernel(const __grid_constant__ Sources sources, const float* __restrict__ weights,
                  const float* __restrict__ bias, float* __restrict__ out, std::int64_t out_stride,
                  const __grid_constant__ PlanesArgs args) {
  constexpr int P = K / 2, kIn = Lane<S, V>::in, kOut = Lane<S, V>::out;
  constexpr int kOpen = (K + S - 1) / S;  // output rows that an input row contributes to, at most
  constexpr int kPeriod = kOpen * S;      // input rows until the same registers hold the same sums
  const Window& g = args.window;
  std::uint32_t at = threadIdx.x % 32;
  const int lanes = static_cast<int>(args.lanes.divisor), together = 32 / lanes;
  const int lane = args.lanes.split(at), own = static_cast<int>(at);  // own: plane of the warp
  const int warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  std::uint32_t image = min(warp * together + own, args.planes - 1);
  const int place = blockIdx.z * (lanes - 2 * args.halo) + lane - args.halo;  // in the row
  const bool active = own < together && warp * together + own < args.planes && place >= 0 && place < args.row_lanes;
  const bool stores = active && lane >= args.halo && lane < lanes - args.halo;
  const int c = args.channels.split(image);
  float w[K * K];
#pragma unroll
  for (int i = 0; i < K * K; ++i) w[i] = weights[c * (K * K) + i];
  const float start = bias[c];
  await_predecessor();

  const int begin = blockIdx.y * args.rows, end = min(begin + args.rows, g.oh);  // output rows
  const int top = begin * S - g.ph, last = (end - 1) * S - g.ph + K - 1;         // input rows
  const int exist = min(last, g.h - 1);
  const float* from[N];
#pragma unroll
  for (int n = 0; n < N; ++n)
    from[n] =
        static_cast<const float*>(sources.list[n].data) + image * sources.list[n].stride + c * g.in_plane + place * kIn;
  float* const to = out + image * out_stride + c * g.out_plane + place * kOut;

  float next[kPeriod][N][kIn];  // input rows that are on their way, by row modulo kPeriod, from `top` on
  const auto fetch = [&](float(&row)[N][kIn], int y) {
    const bool exists = active && y >= 0 && y <= exist;
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int i = 0; i < kIn; i += V) {
        Vec<float, V> raw{};
        if (exists && (V == kIn || place * kIn + i < g.w)) raw = load<float, V>(from[n] + y * g.w + i);
#pragma unroll
        for (int v = 0; v < V; ++v) row[n][i + v] = raw.v[v];
      }
  };
  /// The sum of the inputs with P columns on both sides; zeros outside the image.
  const auto gather = [&](float(&x)[kIn + 2 * P], const float(&row)[N][kIn]) {
#pragma unroll
    for (int v = 0; v < kIn; ++v) {
      float sum = row[0][v];
#pragma unroll
      for (int n = 1; n < N; ++n) sum += row[n][v];
      x[P + v] = larger(sum, args.least);
    }
#pragma unroll
    for (int d = 1; d <= P; ++d) {  // distance from the lane's first and last column
      constexpr auto kAll = 0xffffffffu;
      const int before = (d + kIn - 1) / kIn, after = (kIn - 1 + d) / kIn;  // lanes between
      const float left = __shfl_up_sync(kAll, x[P + before * kIn - d], before);
      const float right = __shfl_down_sync(kAll, x[P + kIn - 1 + d - after * kIn], after);
      x[P - d] = lane >= before ? left : 0.f;
      x[P + kIn - 1 + d] = lane + after < lanes ? right : 0.f;
    }
  };

  float sums[kOpen][kOut];  // by output row modulo kOpen, from `begin` on
#pragma unroll
  for (int i = 0; i < kOpen; ++i)
#pragma unroll
    for (int v = 0; v < kOut; ++v) sums[i][v] = start;
#pragma unroll
  for (int i = 0; i < kPeriod; ++i) fetch(next[i], top + i);
  for (int y = top, r = begin - kOpen; y <= last; y += kPeriod, r += kOpen) {
#pragma unroll
    for (int i = 0; i < kPeriod; ++i) {
      if (K < 7 || (y + i >= 0 && y + i <= exist)) {  // rows of padding add nothing, but a branch pays for 7x7 only
        float x[kIn + 2 * P];
        gather(x, next[i]);
#pragma unroll
        for (int ky = 0; ky < K; ++ky) {
          if ((i - ky) % S != 0) continue;
          float(&sum)[kOut] = sums[((i - ky) / S + kOpen) % kOpen];
#pragma unroll
          for (int kx = 0; kx < K; ++kx)
#pragma unroll
            for (int v = 0; v < kOut; ++v) sum[v] = fmaf(w[ky * K + kx], x[S * v + kx], sum[v]);
        }
      }
      fetch(next[i], y + kPeriod + i);
      if ((i - 2 * P) % S != 0) continue;
      const int slot = (i - 2 * P) / S + kOpen, row = r + slot;
      float(&done)[kOut] = sums[slot % kOpen];
      if (stores && row >= begin && row < end) {
        activate_light(args.post, done);
        Vec<float, kOut> result;
#pragma unroll
        for (int v = 0; v < kOut; ++v) result.v[v] = done[v];
        *reinterpret_cast<Vec<float, kOut>*>(to + row * g.ow) = result;
      }
#pragma unroll
      for (int v = 0; v < kOut; ++v) done[v] = start;
    }
  }
}

template <int K, int S, int V, int N>
void launch(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
            const float* bias, float* out, std::int64_t out_stride) {
  constexpr int kIn = Lane<S, V>::in;
  const Window& g = call.window;
  const int row_lanes = (g.w + kIn - 1) / kIn, warps = call.variant.threads / 32;
  const int halo = row_lanes <= 32 ? 0 : (K / 2 + kIn - 1) / kIn, useful = 32 - 2 * halo;
  const int lanes = std::min(row_lanes, 32), together = 32 / lanes, parts = (row_lanes + useful - 1) / useful;
  const PlanesArgs args{.window = g,
                        .rows = call.variant.rows,
                        .planes = g.n * g.c,
                        .row_lanes = row_lanes,
                        .halo = halo,
                        .lanes = FastDiv(lanes),
                        .channels = FastDiv(g.c),
                        .least = call.pre == Activation::relu ? 0.f : -INFINITY,
                        .post = call.post};
  const int groups = (args.planes + together - 1) / together;
  const dim3 blocks((groups + warps - 1) / warps, (g.oh + args.rows - 1) / args.rows, parts);
  launch_overlapping(planes_kernel<K, S, V, N>, {blocks, dim3(warps * 32)}, stream, sources, weights, bias, out,
                     out_stride, args);
}

template <int V>
auto pick(int k, int stride, int inputs) {
  static_assert(kMostTileInputs == 5);
  if (stride == 2) return k == 7 ? launch<7, 2, V, 1> : k == 5 ? launch<5, 2, V, 1> : launch<3, 2, V, 1>;
  return k == 7        ? launch<7, 1, V, 1>
         : k == 5      ? launch<5, 1, V, 1>
         : inputs == 1 ? launch<3, 1, V, 1>
         : inputs == 2 ? launch<3, 1, V, 2>
         : inputs == 3 ? launch<3, 1, V, 3>
         : inputs == 4 ? launch<3, 1, V, 4>
                       : launch<3, 1, V, 5>;
}

}  // namespace

bool supports_planes(const DepthwiseCall& call) {
  const Window& g = call.window;
  const DepthwiseVariant& v = call.variant;
  const int in = std::max(v.vector, g.sw), row_lanes = (g.w + in - 1) / in;
  return call.layout == TensorFormat::nchw && !call.half && (v.vector == 1 || v.vector == 2 || v.vector == 4) &&
         g.w % v.vector == 0 && g.pw == g.kw / 2 && g.ow == row_lanes * (in / g.sw) &&
         call.inputs <= (g.kh == 3 && g.sh == 1 ? kMostTileInputs : 1) && v.rows > 0 &&
         (g.oh + v.rows - 1) / v.rows < 65536 && v.threads % 32 == 0 && v.threads >= 32 && v.threads <= 128;
}

void depthwise_planes(cudaStream_t stream, const DepthwiseCall& call, const Sources& sources, const float* weights,
                      const float* bias, float* out, std::int64_t out_stride) {
  const int k = call.window.kh, stride = call.window.sh, vector = call.variant.vector;
  const auto launch = vector == 4   ? pick<4>(k, stride, call.inputs)
                      : vector == 2 ? pick<2>(k, stride, call.inputs)
                                    : pick<1>(k, stride, call.inputs);
  launch(stream, call, sources, weights, bias, out, out_stride);
}

}  // namespace opsched::native
