// How deep a JSON text nests.
#pragma once

#include <string_view>

namespace opsched {

/// Throws Error where brackets nest deeper than any file of ours. For before parsing: a text of brackets only
/// fills the memory.
void check_nesting(std::string_view json);

}  // namespace opsched
