// FNV-1a, for file names and keys. Not for security.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace opsched {

inline constexpr std::uint64_t kHashStart = 14695981039346656037ULL;

/// Hash of `text`, continuing from `state`.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t state = kHashStart) {
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return state;
}

/// 16 hexadecimal digits.
std::string hex_digits(std::uint64_t value);

}  // namespace opsched
