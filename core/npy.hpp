// Arrays in NumPy's file format (.npy): float32 in C order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace opsched {

struct NpyArray {
  std::vector<std::int64_t> shape;
  std::vector<float> data;  ///< as many as the shape says, the last axis running fastest
};

/// Reads a file of version 1, 2 or 3 of the format. Throws Error naming the file and what is wrong: no such file,
/// values of another type, Fortran order, more or fewer values than its shape says.
NpyArray read_npy(const std::string& path);

/// The bytes of such a file (version 1). `data` has as many values as the shape says.
std::string npy_bytes(std::span<const std::int64_t> shape, std::span<const float> data);

}  // namespace opsched
