#include "core/utf8.hpp"

#include <cstdint>

namespace opsched {
namespace {

/// Length of the valid character at the beginning; 0 if it is not valid.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  if (length == 1) return 1;
  std::uint32_t code = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};  // overlong forms are invalid
  return code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? length : 0;
}

/// valid_utf8(), with the same escapes for ASCII characters that `plain` rejects.
template <class Plain>
std::string escaped(std::string_view text, const Plain& plain) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    if (const std::size_t length = character(text); length > 1 || (length == 1 && plain(text[0]))) {
      result += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[0]);
    result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    text.remove_prefix(1);
  }
  return result;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  return escaped(text, [](char) { return true; });
}

std::string printable(std::string_view text, std::size_t most) {
  const auto plain = [](char c) { return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); };
  if (text.size() <= most) return escaped(text, plain);
  const std::size_t end = most / 4;
  return escaped(text.substr(0, most - end), plain) + " ... [" + std::to_string(text.size() - most) +
         " bytes left out] ... " + escaped(text.substr(text.size() - end), plain);
}

std::string file_name_part(std::string_view text) {
  constexpr std::size_t most = 100;
  std::string name(text.substr(0, most));
  for (char& c : name)
    if (const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        !letter && c != '-' && c != '_' && c != '.')
      c = '_';
  if (name.starts_with('.')) name.front() = '_';
  return name;
}

}  // namespace opsched
