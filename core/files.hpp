// Whole files in and out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace opsched {

/// Content of a file. Throws Error naming the file where it cannot be read or is larger than
/// `max_bytes` (a wrong file, most likely).
std::string read_file(const std::string& path, std::int64_t max_bytes = std::int64_t{256} << 20);

/// Writes a file as a whole: into a temporary file beside it, which then takes its name. Whatever
/// goes wrong, the old file (or none) is still there. Makes missing folders. Symbolic links are
/// followed; what is no regular file (a pipe, /dev/stdout) is written directly.
/// Throws Error naming the file and the reason.
void write_file_atomically(const std::string& path, std::string_view text);

}  // namespace opsched
