#include "core/runtime/cuda/separable.cuh"

namespace opsched::native {

template void launch_separable<__half>(cudaStream_t, const SeparableTile&, const SeparableArgs&);

}  // namespace opsched::native
