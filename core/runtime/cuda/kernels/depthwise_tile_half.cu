#include "core/runtime/cuda/kernels/depthwise_tile.cuh"

namespace opsched::native {
template void depthwise_tile<__half>(cudaStream_t, const DepthwiseCall&, const Sources&, const __half*, const float*,
                                     __half*, std::int64_t);
}
