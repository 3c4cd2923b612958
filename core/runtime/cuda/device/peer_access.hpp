// Access of GPUs to each other's memory.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"

namespace opsched {

/// Enables access to each other's memory for all pairs of GPUs that support it. Returns a text naming a pair that does
/// not, or an empty text.
std::string connect_peers(std::span<DeviceContext* const> devices);

struct ConnectedDevices {
  std::vector<DeviceContext*> devices;
  CopyRoute route;  ///< between them
};
/// The first `count` devices. Throws Error if there are fewer.
using Connect = std::function<ConnectedDevices(int count)>;

}  // namespace opsched
