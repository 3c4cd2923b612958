// Text that came from outside.
#pragma once

#include <string>
#include <string_view>

namespace opsched {

/// The text with every byte that is not part of valid UTF-8 written as \xNN.
std::string valid_utf8(std::string_view text);

}  // namespace opsched
