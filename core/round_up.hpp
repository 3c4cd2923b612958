// Rounding integers up.
#pragma once

#include <concepts>
#include <type_traits>

namespace opsched {

/// The smallest multiple of `multiple` (at least 1) that is at least `value` (non-negative).
template <std::integral T>
constexpr T round_up(T value, std::type_identity_t<T> multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace opsched
