// A transfer between devices as copies of equal pieces.
#pragma once

#include <vector>

#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// The copies of a transfer step between two addresses, for its views. A copy consists of equal, contiguous, equally
/// spaced pieces: images, channels of an image, or pixels of a channel slice. If only some rows of the images are
/// transferred, each image is a separate copy.
std::vector<PeerCopy> transfer_copies(const Program& program, const Step& step, Precision precision,
                                      char* target_address, const char* source_address);

// A message between processes contains the values of a view, densely packed.

std::size_t message_bytes(const Program& program, const View& view, Precision precision);
/// Does the view have the same layout as its message?
bool is_dense(const Program& program, const View& view, Precision precision);
/// The copies of a view at `address` into its message at `dense`.
std::vector<PeerCopy> packing_copies(const Program& program, const View& view, Precision precision, const char* address,
                                     char* dense);
/// From the message into the view.
PeerCopy reversed(const PeerCopy& copy);

}  // namespace opsched
