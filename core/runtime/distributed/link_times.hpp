// What it costs to move a tensor from a device of one process to a device of another, into a profile.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/cost/profile/profile.hpp"
#include "core/runtime/distributed/part_runtime.hpp"

namespace opsched {

/// The devices of several processes.
struct ProcessDevices {
  std::vector<int> process_of;       ///< of each device, as spread_devices() says
  std::vector<std::string> host_of;  ///< of each process
};

struct LinkSizes {
  std::int64_t smallest = 4 << 10, largest = 64 << 20;  ///< bytes, each four times the one before
};

/// On process 0, while the others serve (part_handlers). Sets the profile's topology to that of these devices, and
/// measures between the first devices of each process and the next one what the profile does not know yet: a tensor
/// goes back and forth in one program, each hop waiting for the one before, by the messages that schedules use. Records
/// both directions under the kind of link. `progress` may be empty. Throws Error as topology_of and
/// Profile::set_topology do.
void measure_links(ProcessGroup& processes, PartRuntime& runtime, const ProcessDevices& devices, Profile& profile,
                   const LinkSizes& sizes = {}, const std::function<void(const std::string&)>& progress = {});

}  // namespace opsched
