// Named ranges for Nsight Systems, free if no profiler is attached.
#pragma once

#include <nvtx3/nvToolsExt.h>

#include <string>

namespace opsched {

class NvtxRange {
 public:
  explicit NvtxRange(const std::string& name) { nvtxRangePushA(name.c_str()); }
  ~NvtxRange() { nvtxRangePop(); }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;
};

}  // namespace opsched
