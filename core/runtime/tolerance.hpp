// How far outputs may be from the reference.
#pragma once

#include "core/precision.hpp"

namespace opsched {

/// Largest relative_error (tensor.hpp) of a network's output, or of a kernel beside plain loops, that rounding
/// explains.
constexpr double output_tolerance(Precision precision) {
  return precision == Precision::fp32 ? 1e-5 : precision == Precision::tf32 ? 2e-3 : 1e-2;
}

/// The same of one kernel that the library may choose: well under output_tolerance, because errors of layers add up.
constexpr double kernel_tolerance(Precision precision) {
  return precision == Precision::fp32 ? 3e-6 : precision == Precision::tf32 ? 1e-3 : 3e-3;
}

}  // namespace opsched
