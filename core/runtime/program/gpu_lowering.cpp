#include "core/runtime/program/gpu_lowering.hpp"

namespace opsched {

LoweringOptions lowering_for(Precision precision, Waits waits) {
  LoweringOptions options;
  options.waits = waits;
  options.element_bytes = element_bytes(precision);
  options.vector_channels = vector_channels(precision);
  // In fp16, kernels are short and most of their time is fixed; then it pays that all leave room. Else the longest
  // chain would become too slow (docs/performance/launches.md).
  options.longest_chain = precision == Precision::fp16 ? LongestChain::shares : LongestChain::comes_first;
  // Eight times the tiles of 128x64 that an H200 computes at once (docs/performance/launches.md).
  options.fills_from = std::int64_t{8} * 132 * 128 * 64;
  // The kernel library accepts any step: it fuses sums and activations where a kernel can, and measures that against a
  // separate gather.
  options.fusion = {.conv_sum = true,
                    .conv_pre = true,
                    .depthwise_sum = true,
                    .depthwise_pre = true,
                    .pool_sum = true,
                    .pool_pre = true,
                    .conv_act = true,
                    .conv_residual = true,
                    .pool_bias = true,
                    .conv_affine = true};
  return options;
}

}  // namespace opsched
