// Access of GPUs to each other's memory.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/runtime/cuda/graph/device_context.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"

namespace opsched {

/// Lets every GPU read and write every other's memory, where they can; says which pair cannot, in words,
/// and nothing if all can.
std::string connect_peers(std::span<DeviceContext* const> devices);

struct ConnectedDevices {
  std::vector<DeviceContext*> devices;
  CopyRoute route;  ///< between them
};
/// The first `count` devices. Throws Error if there are fewer.
using Connect = std::function<ConnectedDevices(int count)>;

}  // namespace opsched
