// Stands in for nccl/ in builds without NCCL or MPI.
#include "core/error.hpp"
#include "core/runtime/cuda/nccl/cuda_parts.hpp"

namespace opsched {

std::unique_ptr<PartRuntime> make_cuda_parts(ProcessGroup&, CudaPartsSource) {
  throw Error(
      "GPUs of several processes need NCCL, which this build does not have: install it (Debian and Ubuntu: libnccl-dev "
      "from NVIDIA's repository) in addition to MPI and configure again");
}

}  // namespace opsched
