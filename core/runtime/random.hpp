// Random numbers that depend only on seed and position.
#pragma once

#include <cstdint>

namespace opsched {

/// A 64-bit hash (the finaliser of splitmix64).
constexpr std::uint64_t hash64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// Number `index` of stream `key`: mean 0, variance 1, bell-shaped within +-3.5. The sum of four
/// uniform numbers, exact in integers, so that every machine and library gives the same bits.
inline float normal(std::uint64_t key, std::uint64_t index) {
  const std::uint64_t bits = hash64(key + index * 0x9e3779b97f4a7c15ull);  // splitmix, at any position
  std::int32_t sum = -4 * 65535 / 2;
  for (int shift = 0; shift < 64; shift += 16) sum += static_cast<std::int32_t>(bits >> shift & 0xffff);
  // The variance of four is (65536^2 - 1) / 3.
  return static_cast<float>(sum) * (1.7320508f / 65536.0f);
}

}  // namespace opsched
