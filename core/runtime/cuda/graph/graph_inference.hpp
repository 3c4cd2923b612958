// CudaInference using a captured program.
#pragma once

#include <memory>
#include <vector>

#include "core/runtime/cuda/cuda_inference.hpp"
#include "core/runtime/cuda/graph/captured_program.hpp"

namespace opsched {

/// `captured`: of this graph, with memory of its own. `keep` lives as long as what is made. Throws Error where an input
/// or output is on a GPU whose memory that of device 0 cannot access.
std::unique_ptr<CudaInference> make_graph_inference(const Graph& graph, std::unique_ptr<CapturedProgram> captured,
                                                    std::shared_ptr<const void> keep);

}  // namespace opsched
