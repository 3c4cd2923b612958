// Arithmetic on constants in the ONNX importer. Only for the importer.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace opsched {

/// Numbers of any type, as doubles. Floats are rounded to float after every operation; integers beyond 2^53 only
/// occur as "to the end".
struct OnnxNumbers {
  enum class Type { floating, integer, boolean };
  std::vector<std::int64_t> dims;
  std::vector<double> values;
  Type type = Type::floating;

  std::int64_t size() const { return static_cast<std::int64_t>(values.size()); }
  /// Integer values. Throws Error if they are floats.
  std::vector<std::int64_t> integers() const;
};

/// Limit on the number of values that are computed at import.
inline constexpr std::int64_t max_onnx_numbers = std::int64_t{1} << 27;

/// Product of dims. Throws Error if it is above max_onnx_numbers or a dim is negative.
std::int64_t onnx_count(const std::vector<std::int64_t>& dims);
/// ONNX (NumPy) broadcasting. Throws Error if the shapes are incompatible.
std::vector<std::int64_t> broadcast_dims(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b);
/// The numbers at places[i] + offsets of an iteration over `dims` with these strides, last axis fastest.
OnnxNumbers strided(const OnnxNumbers& from, std::int64_t start, const std::vector<std::int64_t>& dims,
                    const std::vector<std::int64_t>& strides);
/// Strides of a dense array.
std::vector<std::int64_t> dense_strides(const std::vector<std::int64_t>& dims);
OnnxNumbers broadcast(const OnnxNumbers& from, const std::vector<std::int64_t>& dims);
OnnxNumbers transposed(const OnnxNumbers& from, const std::vector<std::int64_t>& order);
/// Parts [begin, end) of an axis.
OnnxNumbers part_of(const OnnxNumbers& from, std::size_t axis, std::int64_t begin, std::int64_t end);
OnnxNumbers joined(const std::vector<OnnxNumbers>& parts, std::size_t axis);
/// Applies f to all numbers along `axes` (sorted), which become 1 or vanish.
OnnxNumbers reduced(const OnnxNumbers& from, const std::vector<std::size_t>& axes, bool keep,
                    const std::function<double(const std::vector<double>&)>& f);

}  // namespace opsched
