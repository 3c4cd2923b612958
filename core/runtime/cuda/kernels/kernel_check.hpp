// Device code for checking kernels: random data, and a plain reference at sampled points.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/runtime/cuda/kernels/native_kernels.hpp"
#include "core/runtime/program/kernel_problem.hpp"

namespace opsched::kernel_check {

/// Fills `count` elements (float, or half) with numbers uniform in [-sqrt 3, sqrt 3): variance 1.
void fill_random(cudaStream_t stream, void* data, std::int64_t count, bool half, std::uint32_t seed);

/// Result of check(). All zero before.
struct Verdict {
  double difference = 0, norm = 0;  ///< sums of squares over the sampled points
  unsigned long long nans = 0;      ///< in the whole range looked at
};

/// ConvWeights in device memory; null where a problem has none.
struct Weights {
  const float *weight, *bias, *input_factor, *input_bias;
};

/// Adds to `verdict` (device memory): the difference between `out` and the problem computed in double at about
/// `samples` points, from the same inputs, residual (null without) and fp32 weights; and the number of NaNs among
/// `range_count` elements from `range` on.
void check(cudaStream_t stream, const Problem& problem, const native::Sources& inputs, const void* residual,
           const Weights& weights, const void* out, const void* range, std::int64_t range_count, int samples,
           Verdict* verdict);

}  // namespace opsched::kernel_check
