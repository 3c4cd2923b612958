// A back end that can execute a part of a program, together with other processes.
#pragma once

#include <memory>
#include <string>

#include "core/processes/process_group.hpp"
#include "core/runtime/distributed/part_request.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/program/partition.hpp"

namespace opsched {

class PartRuntime {
 public:
  virtual ~PartRuntime() = default;
  virtual std::string name() const = 0;
  /// How the schedule becomes a program: the same on every process.
  virtual LoweringOptions lowering(const PartRequest& request) const = 0;
  /// Between two devices; 0: any number.
  virtual int most_channels() const { return 0; }
  /// Throws Error where this process cannot execute such a part. Waits for no other process.
  virtual void require(const ProgramPart&) {}
  /// Ready to run, when all processes have called it, once none of them refused in require(). `request` must outlive
  /// it. Inputs and outputs of run() are the part's. sample() times rounds: from when all processes are ready until all
  /// have ended, as process 0 sees it. A part without steps is one, too: its rounds are what the beginning and end of a
  /// round cost.
  virtual std::unique_ptr<Executor> make(const PartRequest& request, const ProgramPart& part) = 0;
};

/// On the CPU. `processes` must outlive it.
std::unique_ptr<PartRuntime> make_cpu_parts(ProcessGroup& processes);

}  // namespace opsched
