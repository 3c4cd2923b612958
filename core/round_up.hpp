// Whole numbers rounded up.
#pragma once

#include <concepts>
#include <type_traits>

namespace opsched {

/// The smallest multiple of `multiple` (at least 1) that is not below `value` (at least 0).
template <std::integral T>
constexpr T round_up(T value, std::type_identity_t<T> multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace opsched
