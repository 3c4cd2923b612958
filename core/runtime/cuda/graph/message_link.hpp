// Interface for the sends and receives of a part.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "core/runtime/program/program.hpp"

namespace opsched {

class MessageLink {
 public:
  virtual ~MessageLink() = default;
  /// Enqueue on a stream of the current GPU, which may be capturing. `data` is dense memory of that GPU.
  virtual void enqueue_send(const Message& message, const void* data, std::size_t bytes, cudaStream_t stream) = 0;
  virtual void enqueue_receive(const Message& message, void* data, std::size_t bytes, cudaStream_t stream) = 0;
};

}  // namespace opsched
