// Arrays in NumPy's file format (.npy): float32 in C order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace opsched {

struct NpyArray {
  std::vector<std::int64_t> shape;
  std::vector<float> data;  ///< as many as the shape says, last axis fastest
};

/// Reads a file of format version 1, 2 or 3. Throws Error naming the file and the problem: missing file, other data
/// type, Fortran order, or a number of values that differs from the shape.
NpyArray read_npy(const std::string& path);

/// The content of such a file (version 1). The size of `data` must match the shape.
std::string npy_bytes(std::span<const std::int64_t> shape, std::span<const float> data);

}  // namespace opsched
