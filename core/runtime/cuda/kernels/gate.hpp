// A kernel that does nothing, as a node of a CUDA graph for others to wait for.
#pragma once

#include <cuda_runtime_api.h>

namespace opsched {

/// Enqueues it on a stream of the current device. Throws Error where CUDA refuses.
void enqueue_gate(cudaStream_t stream);

}  // namespace opsched
