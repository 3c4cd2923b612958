#include "core/runtime/executor.hpp"

#include "core/error.hpp"

namespace opsched {

Trace Executor::trace() {
  throw Error("a schedule on the CPU cannot be traced: run it on a GPU (--device gpu) or simulate it (--device sim)");
}

std::vector<WarpSample> Executor::count_warps() {
  throw Error("active warps are only available on a GPU: --device gpu");
}

std::vector<double> Executor::sample_by(const Protocol& protocol) {
  throw Error("'" + protocol.name() + "' needs a device that runs the schedule in one process: --device gpu or cpu");
}

Preparation Executor::preparation() {
  throw Error("only a GPU captures and instantiates schedules: run with --device gpu");
}

}  // namespace opsched
