// Activations by their formulas in the literature, in double precision: the reference for every implementation.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/graph/activation.hpp"

namespace opsched {

inline double exact_activation(const Activation& act, double x) {
  switch (act.kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::leaky_relu:
      return x < 0 ? act.a * x : x;
    case Activation::elu:
      return x < 0 ? act.a * std::expm1(x) : x;
    case Activation::clip:
      return std::min(std::max(x, double{act.a}), double{act.b});
    case Activation::hard_sigmoid:
      return std::min(std::max(act.a * x + act.b, 0.0), 1.0);
    case Activation::hard_swish:
      return x * std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case Activation::softplus:
      return std::log1p(std::exp(x));
  }
  return NAN;
}

}  // namespace opsched
