// Access of GPUs to each other's memory.
#pragma once

#include <span>

#include "core/runtime/cuda/device_context.hpp"

namespace opsched {

/// Lets every GPU read and write every other's memory. Throws Error naming the pair that cannot.
void connect_peers(std::span<DeviceContext* const> devices);

}  // namespace opsched
