// How programs for the GPU are lowered.
#pragma once

#include "core/precision.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// What this back end's kernels can do by themselves, in a precision.
LoweringOptions lowering_for(Precision precision, Waits waits = Waits::needed);

}  // namespace opsched
