// The order of a tensor's elements in memory.
#pragma once

#include <string>

#include "core/precision.hpp"

namespace opsched {

enum class TensorFormat { nchw, nhwc };
std::string to_string(TensorFormat format);

/// The format in which a precision runs fastest: fp32 as planes, the others channels-last.
TensorFormat preferred_format(Precision precision);

}  // namespace opsched
