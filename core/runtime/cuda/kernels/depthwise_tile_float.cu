#include "core/runtime/cuda/kernels/depthwise_tile.cuh"

namespace opsched::native {
template void depthwise_tile<float>(cudaStream_t, const DepthwiseCall&, const Sources&, const float*, const float*,
                                    float*, std::int64_t);
}
