// Nesting depth of JSON text.
#pragma once

#include <string_view>

namespace opsched {

/// Throws Error if brackets are nested deeper than in any of our files. Call before parsing: text that consists of
/// brackets would only fill memory.
void check_nesting(std::string_view json);

}  // namespace opsched
