#include "core/graph/onnx/onnx_numbers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {

using Dims = std::vector<std::int64_t>;

std::vector<std::int64_t> OnnxNumbers::integers() const {
  if (type == Type::floating) throw Error("integers are needed, not floats");
  constexpr double most = 9.2e18;
  std::vector<std::int64_t> list;
  for (double value : values)
    list.push_back(value >= most    ? std::numeric_limits<std::int64_t>::max()
                   : value <= -most ? std::numeric_limits<std::int64_t>::min()
                                    : static_cast<std::int64_t>(value));
  return list;
}

std::int64_t onnx_count(const Dims& dims) {
  std::int64_t count = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0 || (dim > 0 && count > max_onnx_numbers / dim))
      throw Error("constants of the shape " + to_string(dims) + " are too large to be computed at import");
    count *= dim;
  }
  return count;
}

Dims broadcast_dims(const Dims& a, const Dims& b) {
  Dims dims(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw Error("the shapes " + to_string(a) + " and " + to_string(b) + " are incompatible");
    dims[dims.size() - 1 - i] = x == 1 ? y : x;
  }
  return dims;
}

Dims dense_strides(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

OnnxNumbers strided(const OnnxNumbers& from, std::int64_t start, const Dims& dims, const Dims& strides) {
  OnnxNumbers result{dims, std::vector<double>(onnx_count(dims)), from.type};
  Dims index(dims.size(), 0);
  std::int64_t at = start;
  for (double& value : result.values) {
    value = from.values[at];
    for (std::size_t d = dims.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < dims[d]) break;
      at -= strides[d] * dims[d];
      index[d] = 0;
    }
  }
  return result;
}

OnnxNumbers broadcast(const OnnxNumbers& from, const Dims& dims) {
  if (from.dims == dims) return from;
  Dims strides(dims.size(), 0);
  const Dims own = dense_strides(from.dims);
  const std::size_t before = dims.size() - from.dims.size();
  for (std::size_t d = 0; d < from.dims.size(); ++d) strides[before + d] = from.dims[d] == 1 ? 0 : own[d];
  return strided(from, 0, dims, strides);
}

OnnxNumbers transposed(const OnnxNumbers& from, const Dims& order) {
  const Dims own = dense_strides(from.dims);
  Dims dims, strides;
  for (std::int64_t axis : order) dims.push_back(from.dims[axis]), strides.push_back(own[axis]);
  return strided(from, 0, dims, strides);
}

OnnxNumbers part_of(const OnnxNumbers& from, std::size_t axis, std::int64_t begin, std::int64_t end) {
  Dims dims = from.dims;
  dims[axis] = end - begin;
  return strided(from, begin * dense_strides(from.dims)[axis], dims, dense_strides(from.dims));
}

OnnxNumbers joined(const std::vector<OnnxNumbers>& parts, std::size_t axis) {
  OnnxNumbers result{parts.at(0).dims, {}, parts[0].type};
  if (axis >= result.dims.size()) throw Error("scalars cannot be concatenated");
  result.dims[axis] = 0;
  std::int64_t outer = 1;
  for (const OnnxNumbers& part : parts) {
    Dims others = part.dims;
    if (others.size() != result.dims.size()) throw Error("constants of different ranks cannot be concatenated");
    others[axis] = result.dims[axis];
    if (others != result.dims) throw Error("constants of incompatible shapes cannot be concatenated");
    result.dims[axis] += part.dims[axis];
  }
  for (std::size_t d = 0; d < axis; ++d) outer *= result.dims[d];
  onnx_count(result.dims);
  for (std::int64_t o = 0; o < outer; ++o)
    for (const OnnxNumbers& part : parts) {
      const std::int64_t each = part.size() / outer;
      result.values.insert(result.values.end(), part.values.begin() + o * each, part.values.begin() + (o + 1) * each);
    }
  return result;
}

OnnxNumbers reduced(const OnnxNumbers& from, const std::vector<std::size_t>& axes, bool keep,
                    const std::function<double(const std::vector<double>&)>& f) {
  const Dims own = dense_strides(from.dims);
  Dims outer, outer_strides, inner, inner_strides, dims;
  for (std::size_t d = 0; d < from.dims.size(); ++d) {
    if (std::ranges::find(axes, d) == axes.end()) {
      outer.push_back(from.dims[d]), outer_strides.push_back(own[d]), dims.push_back(from.dims[d]);
    } else {
      inner.push_back(from.dims[d]), inner_strides.push_back(own[d]);
      if (keep) dims.push_back(1);
    }
  }
  if (onnx_count(inner) == 0) throw Error("cannot reduce over an empty axis");
  outer.insert(outer.end(), inner.begin(), inner.end());
  outer_strides.insert(outer_strides.end(), inner_strides.begin(), inner_strides.end());
  const OnnxNumbers sorted = strided(from, 0, outer, outer_strides);
  OnnxNumbers result{dims, {}, from.type};
  const std::int64_t each = onnx_count(inner);
  for (auto at = sorted.values.begin(); at != sorted.values.end(); at += each)
    result.values.push_back(f({at, at + each}));
  return result;
}

}  // namespace opsched
