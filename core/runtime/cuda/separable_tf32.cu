#include "core/runtime/cuda/separable.cuh"

namespace opsched::native {

template void launch_separable<float>(cudaStream_t, const SeparableTile&, const SeparableArgs&);

}  // namespace opsched::native
