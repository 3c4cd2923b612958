// Apart from the operators, so that kernels need not know those.
#pragma once

namespace opsched {

enum class PoolType { max, avg, global_avg };

}  // namespace opsched
