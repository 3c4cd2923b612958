// Whole files: read, and written so that a reader never sees half of one.
#pragma once

#include <string>

namespace opsched {

/// Content of a file. Throws Error naming it if it cannot be read.
std::string read_file(const std::string& path);

/// Writes to a temporary file in the same folder, made if missing, and renames it over `path`.
/// Throws Error naming the file if that fails.
void write_file(const std::string& path, const std::string& content);

}  // namespace opsched
