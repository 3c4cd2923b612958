#include "core/runtime/cuda/kernels/depthwise_strip.cuh"

namespace opsched::native {
template void depthwise_strip<__half>(cudaStream_t, const DepthwiseCall&, const Sources&, const __half*, const float*,
                                      __half*, std::int64_t);
}
