// Which kernels of a program may run at the same time.
#pragma once

#include "core/runtime/program/order.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// Sets Step::concurrent of all steps. `order`: that of the program (order_of).
void mark_concurrent(Program& program, const Order& order, const LoweringOptions& options);

}  // namespace opsched
