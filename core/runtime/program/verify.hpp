// Finds races and overwritten memory in a program, independently of the planner.
#pragma once

#include "core/runtime/program/program.hpp"

namespace opsched {

/// Throws Error naming the steps unless, by the order of streams and waits alone, every channel that a step reads was
/// written before (or is an input of the program), and accesses to the same channels of a buffer are ordered.
void verify_order(const Program& program);

/// Throws Error naming the buffers unless every buffer lies inside its arena and overlapping buffers are never live
/// together: nothing writes to the memory of a tensor between its first write and its last read, nor ever to that of
/// an input, nor to that of an output after it was written.
void verify_arena(const Program& program);

}  // namespace opsched
