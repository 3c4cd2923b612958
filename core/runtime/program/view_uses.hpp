// Who reads what in a program.
#pragma once

#include <span>
#include <vector>

#include "core/runtime/program/program.hpp"

namespace opsched {

/// Does nothing read any of this view, except the step `reader`? `kept`: views that are read where the program does not
/// show it, besides its outputs. `removed`: by step, those that do not count; may be empty.
bool is_read_by_only(const Program& program, int reader, const View& view, std::span<const View> kept,
                     const std::vector<bool>& removed = {});

/// Removes the buffers that nothing reads or writes.
void remove_unused_buffers(Program& program);

}  // namespace opsched
