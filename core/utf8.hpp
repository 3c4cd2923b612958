// Text that came from outside.
#pragma once

#include <string>
#include <string_view>

namespace opsched {

/// The text with every byte that is not part of valid UTF-8 written as \xNN.
std::string valid_utf8(std::string_view text);

/// Fit for a terminal: valid UTF-8, control characters as \xNN (a line break stays), at most about `most` bytes, the
/// middle left out of what is longer.
std::string printable(std::string_view text, std::size_t most = 4000);

/// Fit for a part of a file's name: letters, digits, '-', '_' and '.' stay, others become '_'; at most 100 bytes, does
/// not begin with a point.
std::string file_name_part(std::string_view text);

}  // namespace opsched
