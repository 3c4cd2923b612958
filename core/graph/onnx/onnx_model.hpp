// An ONNX file as it is written: nodes and constants by name. For the importer only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace opsched {

/// A constant. Its bytes stay where they were read from.
struct OnnxTensor {
  std::string name;
  std::vector<std::int64_t> dims;
  int type = 0;                                 ///< TensorProto.DataType
  std::string_view raw;                         ///< little-endian values, or
  std::vector<double> values;                   ///< values in a typed field, or
  std::map<std::string, std::string> external;  ///< where they are: "location", "offset", "length"

  /// Number of values. Throws Error if it is negative or larger than a graph may hold.
  std::int64_t size() const;
  /// All values. Throws Error if their type is not float, float16, double, int32 or int64, or if
  /// there are more or fewer than the shape says. `folder`: of the file, for external data.
  std::vector<double> read(const std::string& folder) const;
};

struct OnnxAttribute {
  std::int64_t integer = 0;
  float real = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  OnnxTensor tensor;
};

struct OnnxNode {
  std::string name, type, domain;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, OnnxAttribute> attributes;
};

/// An input or output with its shape; -1 where that is not a number.
struct OnnxValue {
  std::string name;
  std::vector<std::int64_t> dims;
};

struct OnnxModel {
  std::vector<OnnxNode> nodes;
  std::map<std::string, OnnxTensor> constants;
  std::vector<OnnxValue> inputs;  ///< constants left out
  std::vector<OnnxValue> outputs;
};

/// Reads the file's bytes, which must live as long as the model. Throws Error where they are no ONNX
/// model.
OnnxModel parse_onnx(std::string_view bytes);

}  // namespace opsched
