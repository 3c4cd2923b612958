// CudaInference using a captured program.
#pragma once

#include <memory>
#include <vector>

#include "core/runtime/cuda/cuda_inference.hpp"
#include "core/runtime/cuda/graph/captured_program.hpp"

namespace opsched {

/// `captured`: this graph's program, with its own memory. `keep` lives as long as the result. Throws Error if an input
/// or output is on a GPU whose memory device 0 cannot access.
std::unique_ptr<CudaInference> make_graph_inference(const Graph& graph, std::unique_ptr<CapturedProgram> captured,
                                                    std::shared_ptr<const void> keep);

}  // namespace opsched
