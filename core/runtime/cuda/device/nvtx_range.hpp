// Named ranges for Nsight Systems; they cost nothing where no profiler is attached.
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
