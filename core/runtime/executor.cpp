#include "core/runtime/executor.hpp"

#include "core/error.hpp"

namespace opsched {

Trace Executor::trace() {
  throw Error("a schedule on the CPU cannot be traced: run it on a GPU (--device gpu) or simulate it (--device sim)");
}

std::vector<WarpSample> Executor::count_warps() { throw Error("warps are counted by a GPU only: --device gpu"); }

Preparation Executor::preparation() {
  throw Error("only a GPU captures and instantiates schedules: run with --device gpu");
}

}  // namespace opsched
