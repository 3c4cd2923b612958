// The switch for kernels that are written and compiled, but that no GPU has run yet.
#pragma once

#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "core/runtime/cuda/problem.hpp"

namespace opsched {

/// May kernels be chosen that have passed their tests on no GPU yet? These are: separable convolutions as
/// one step, convolutions "patch/...", global average pools with vectors of channels, and cuDNN's engines
/// for a part of the multiprocessors. Off unless the environment says OPSCHED_UNTRIED_KERNELS=1. Their tests
/// run either way. Kernel choices and profiles made with them are kept apart from those without.
///
/// To offer them for good: delete this file and the lines that the compiler then names, and raise the
/// version of the choice file above 5.
inline bool untried_kernels() {
  const char* text = std::getenv("OPSCHED_UNTRIED_KERNELS");
  const std::string value = text ? text : "";
  if (value != "" && value != "0" && value != "1")
    throw Error("the environment variable OPSCHED_UNTRIED_KERNELS is '" + value + "'; it may be 0 or 1");
  return value == "1";
}

/// Marks what was measured while untried kernels could be chosen.
inline std::string untried_mark() { return untried_kernels() ? "+untried" : ""; }

inline bool is_untried(const Problem& problem, const std::string& kernel) {
  const auto* pool = std::get_if<Pool2d>(&problem.layer);
  if (pool && pool->type == PoolType::global_avg) return kernel != "pool/v1";
  return kernel.find("patch/") != std::string::npos || kernel.starts_with("separable/");
}

}  // namespace opsched
