// Handling text from untrusted sources.
#pragma once

#include <string>
#include <string_view>

namespace opsched {

/// The text with every byte that is not valid UTF-8 written as \xNN.
std::string valid_utf8(std::string_view text);

/// Safe for a terminal: valid UTF-8, control characters as \xNN (line breaks are kept), at most about `most` bytes,
/// with the middle of longer text removed.
std::string printable(std::string_view text, std::size_t most = 4000);

/// Safe as part of a file name: letters, digits, '-', '_' and '.' are kept, others become '_'; at most 100 bytes,
/// without a leading dot.
std::string file_name_part(std::string_view text);

}  // namespace opsched
