// The order of a tensor's elements in memory.
#pragma once

#include <string>

#include "core/precision.hpp"

namespace opsched {

enum class TensorFormat { nchw, nhwc };
std::string to_string(TensorFormat format);

/// The fastest format of a precision: planes for fp32, channels-last for the others.
TensorFormat preferred_format(Precision precision);

}  // namespace opsched
