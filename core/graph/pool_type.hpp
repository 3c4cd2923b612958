// Separate from the operators, so that kernels do not depend on them.
#pragma once

namespace opsched {

enum class PoolType { max, avg, global_avg };

}  // namespace opsched
