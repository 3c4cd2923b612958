// A transfer between devices as copies of equal pieces.
#pragma once

#include <vector>

#include "core/precision.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// The copies of a transfer step from one address to another, those of its views. A copy is equal pieces, contiguous in
/// themselves, equally far apart: images, channels of an image, or pixels of a slice of channels. Where only some rows
/// of the images go, each image is a copy of its own.
std::vector<PeerCopy> transfer_copies(const Program& program, const Step& step, Precision precision,
                                      char* target_address, const char* source_address);

// A message between processes is the values of a view, dense.

std::size_t message_bytes(const Program& program, const View& view, Precision precision);
/// Does the view lie as its message?
bool is_dense(const Program& program, const View& view, Precision precision);
/// The copies of a view at `address` into its message at `dense`.
std::vector<PeerCopy> packing_copies(const Program& program, const View& view, Precision precision, const char* address,
                                     char* dense);
/// From the message into the view.
PeerCopy reversed(const PeerCopy& copy);

}  // namespace opsched
