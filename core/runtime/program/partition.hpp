// Partitions a program over processes.
//
// Each process executes the steps of its own devices. A transfer between devices of two processes becomes a send in
// one and a receive in the other. A part preserves the order of the whole program by additional waits, so the memory
// plan of a part is valid independently of the other processes. Everything waits only for earlier steps of the whole
// program, a message at both ends, so processes cannot deadlock.
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

/// Process of each device: as even as possible, with consecutive devices together. Throws Error for more processes
/// than devices.
std::vector<int> spread_devices(int devices, int processes);

/// The part of a process; `process_of`: of each device. Transfers of one stream share a channel; there are at most
/// `most_channels` between two devices (0: one per stream).
ProgramPart part_of(const Program& whole, std::span<const int> process_of, int process, int most_channels = 0);
/// The parts of all.
std::vector<ProgramPart> partition(const Program& whole, std::span<const int> process_of, int processes,
                                   int most_channels = 0);

/// Throws Error naming process and step unless every message is sent once and received once, between matching
/// processes and with the same shape; the messages of a channel are on one stream and in the same order at both ends;
/// and every step of every part can run eventually, even if no message completes before both ends have started.
void verify_messages(std::span<const ProgramPart> parts);

}  // namespace opsched
