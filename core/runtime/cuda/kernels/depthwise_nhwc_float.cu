#include "core/runtime/cuda/kernels/depthwise_strip.cuh"

namespace opsched::native {
template void depthwise_strip<float>(cudaStream_t, const DepthwiseCall&, const Sources&, const float*, const float*,
                                     float*, std::int64_t);
}
