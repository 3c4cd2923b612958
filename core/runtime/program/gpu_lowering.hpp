// Lowering options for the GPU.
#pragma once

#include "core/precision.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// What the kernels of this back end can fuse, in a given precision.
LoweringOptions lowering_for(Precision precision, Waits waits = Waits::needed);

}  // namespace opsched
