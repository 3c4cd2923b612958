// Arithmetic limits of a GPU.
#pragma once

#include "core/precision.hpp"

namespace opsched {

/// Multiply-accumulates that the GPU can do in one ms at its highest clock, dense, with the units that
/// the precision uses. From the CUDA programming guide's throughput tables (sm_80 to sm_90; newer
/// architectures are taken to be as fast a multiprocessor and clock as sm_90).
double peak_macs_per_ms(int gpu, Precision precision);

}  // namespace opsched
