// Places buffers in the arena of their device, and checks the placement.
#pragma once

#include "core/runtime/program/program.hpp"

namespace opsched {

/// Sets the offset of every buffer and the size of every arena. Two buffers share memory only if all uses of one
/// happen before all uses of the other in the order of the steps, so sharing never needs an additional wait. Inputs
/// and outputs of the program share with nothing. Largest first, into the tightest gap that is free at all conflicting
/// times (Pisarchyk, Lee: Efficient Memory Management for Deep Neural Net Inference, 2020).
void plan_arena(Program& program);

}  // namespace opsched
