// tf32 on the host. Its mantissa has 10 bits, as that of fp16.
#pragma once

#include <cstdint>
#include <cstring>

namespace opsched {

/// The nearest number that tf32 holds, ties away from zero, as cvt.rna does.
inline float round_to_tf32(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&x, &bits, 4);
  return x;
}

}  // namespace opsched
