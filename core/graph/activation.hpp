// Elementwise functions at the start or end of an operator.
#pragma once

#include <array>
#include <cmath>
#include <string>
#include <string_view>

namespace opsched {

/// A function with its parameters. `a` and `b` are 0 if the function has none.
struct Activation {
  enum Kind {
    none,
    relu,
    tanh,
    sigmoid,
    leaky_relu,    ///< x below 0: a x
    elu,           ///< x below 0: a (e^x - 1)
    clip,          ///< at least a, at most b
    hard_sigmoid,  ///< a x + b, at least 0 and at most 1
    hard_swish,    ///< x times (x / 6 + 1 / 2 clamped to [0, 1])
    silu,          ///< x sigmoid(x)
    gelu,          ///< x times the normal cumulative distribution at x
    softplus,      ///< ln(1 + e^x)
  };
  static constexpr int kinds = softplus + 1;

  Kind kind = none;
  float a = 0, b = 0;

  constexpr Activation() = default;
  constexpr Activation(Kind k, float first = 0, float second = 0) : kind(k), a(first), b(second) {}

  bool operator==(const Activation&) const = default;
  /// Is it of this kind, with any parameters?
  constexpr bool operator==(Kind k) const { return kind == k; }
  /// none, relu or tanh: the ones in older files and formats.
  constexpr bool is_basic() const { return kind <= tanh; }
};

/// "leaky_relu"
const char* activation_name(Activation::Kind kind);
/// Number of parameters.
int activation_parameters(Activation::Kind kind);
/// "relu", "clip(0,6)"; the format of parse_activation.
std::string to_string(const Activation& act);
/// Throws Error listing the known activations.
Activation parse_activation(std::string_view text);

/// The function's value. NaN stays NaN.
float activated(float x, const Activation& act);

}  // namespace opsched
