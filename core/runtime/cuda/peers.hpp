// Access of GPUs to each other's memory.
#pragma once

#include <span>
#include <string>

#include "core/runtime/cuda/device_context.hpp"

namespace opsched {

/// Lets every GPU read and write every other's memory, where they can; says which pair cannot, in words,
/// and nothing if all can.
std::string connect_peers(std::span<DeviceContext* const> devices);

}  // namespace opsched
