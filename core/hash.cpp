#include "core/hash.hpp"

namespace opsched {

std::string hex_digits(std::uint64_t value) {
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[value >> shift & 15];
  return digits;
}

}  // namespace opsched
