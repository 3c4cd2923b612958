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
  std::int64_t smallest = 4 << 10, largest = 64 << 20;  ///< bytes; each size is four times the previous one
};

/// Call it on process 0 while the others serve (part_handlers). Sets the profile's topology to that of these devices.
/// Then measures what the profile does not know yet between the first devices of each process and the next: a tensor
/// goes back and forth in one program, with the messages that schedules use, and each hop waits for the previous one.
/// Records both directions under the kind of link. `progress` may be empty. Throws Error as topology_of and
/// Profile::set_topology do.
void measure_links(ProcessGroup& processes, PartRuntime& runtime, const ProcessDevices& devices, Profile& profile,
                   const LinkSizes& sizes = {}, const std::function<void(const std::string&)>& progress = {});

}  // namespace opsched
