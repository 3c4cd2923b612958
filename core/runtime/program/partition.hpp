// A program divided among processes.
//
// A process executes the steps of its own devices. A transfer between devices of two processes becomes a send in one
// and a receive in the other. A part keeps the order that the whole program gives its steps, by waits of its own, so
// that all that a part's memory needs holds without another process. Everything waits only for what comes earlier in
// the whole program, a message at both of its ends, so that no processes ever wait for each other in a circle.
#pragma once

#include <span>
#include <vector>

#include "core/runtime/program/program.hpp"

namespace opsched {

/// What one process executes.
struct ProgramPart {
  Program program;           ///< of its own devices, numbered from 0
  std::vector<int> devices;  ///< which of the whole program they are
  std::vector<int> steps;    ///< which of the whole program its steps are; a message's id is that of its transfer
  std::vector<int> inputs, outputs;  ///< which of the whole program's it has
};

/// Process of each device: as even as can be, neighbours together. Throws Error for more processes than devices.
std::vector<int> spread_devices(int devices, int processes);

/// The part of a process; `process_of`: of each device. Transfers of one stream share a channel; between two devices
/// there are `most_channels` at most, 0: one a stream.
ProgramPart part_of(const Program& whole, std::span<const int> process_of, int process, int most_channels = 0);
/// The parts of all.
std::vector<ProgramPart> partition(const Program& whole, std::span<const int> process_of, int processes,
                                   int most_channels = 0);

/// Throws Error naming process and step unless every message is sent once and received once, between processes that
/// name each other, with one shape; those of a channel go and come on one stream, in one order; and, even if no message
/// ended before both of its ends had begun, every step of every part could run in the end.
void verify_messages(std::span<const ProgramPart> parts);

}  // namespace opsched
