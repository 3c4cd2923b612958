// Tolerances for outputs compared with the reference.
#pragma once

#include "core/precision.hpp"

namespace opsched {

/// Largest relative_error (tensor.hpp) that rounding explains, for a network's output, or for a kernel compared with
/// plain loops.
constexpr double output_tolerance(Precision precision) {
  return is_as_accurate_as_fp32(precision) ? 1e-5 : precision == Precision::tf32 ? 2e-3 : 1e-2;
}

/// The limit for a kernel that the library may choose: well below output_tolerance, because errors accumulate over
/// layers.
constexpr double kernel_tolerance(Precision precision) {
  return is_as_accurate_as_fp32(precision) ? 3e-6 : precision == Precision::tf32 ? 1e-3 : 3e-3;
}

}  // namespace opsched
