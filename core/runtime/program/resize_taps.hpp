// The input pixels of a resize, shared by all back ends.
#pragma once

#include <vector>

#include "core/graph/operator.hpp"

namespace opsched {

/// What an output pixel reads along one axis: two pixels, and the second one's share.
struct ResizeTap {
  int first, second;
  float share;
};

/// For every output pixel along axis d (0: vertical, 1: horizontal), from `in` to `out` pixels. Coordinates are
/// computed in double, so that the nearest pixel is the same everywhere.
std::vector<ResizeTap> resize_taps(const Resize2d& resize, int d, int in, int out);

}  // namespace opsched
