// tf32 on the host. Its mantissa has 10 bits, like that of fp16.
#pragma once

#include <bit>
#include <cstdint>

namespace opsched {

/// Rounds to the nearest tf32 number, ties away from zero, like cvt.rna.
inline float round_to_tf32(float x) {
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + 0x1000u) & ~0x1fffu);
}

/// A number as the sum of two tf32 numbers; `small` is what rounding `big` cut off. The sum differs from the number by
/// at most 2^-23 of it.
struct Tf32Terms {
  float big, small;
};
inline Tf32Terms tf32_terms(float x) {
  const float big = round_to_tf32(x);
  return {big, round_to_tf32(x - big)};
}

}  // namespace opsched
