// An ONNX file as stored: nodes and constants by name. Only for the importer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.hpp"
#include "core/graph/onnx/onnx_numbers.hpp"

namespace opsched {

/// The external data files of a model. Each is mapped once; only requested parts are read.
class OnnxFiles {
 public:
  explicit OnnxFiles(std::string folder) : folder_(std::move(folder)) {}
  /// Throws Error if the location is outside the folder, or the file is too short.
  std::string_view bytes(const std::string& location, std::int64_t offset, std::int64_t size);

 private:
  std::string folder_;
  std::map<std::string, MappedFile> files_;
};

/// A constant. Its bytes stay where they were read from, in their stored type.
struct OnnxTensor {
  std::string name;
  std::vector<std::int64_t> dims;
  int type = 0;                                 ///< TensorProto.DataType
  std::string_view raw;                         ///< little-endian values, or
  std::string_view message;                     ///< the whole TensorProto, with values in a typed field, or
  std::map<std::string, std::string> external;  ///< where they are: "location", "offset", "length"
  std::shared_ptr<const std::string> computed;  ///< owner of `raw`, if the importer computed the constant

  /// Number of values. Throws Error if it is negative or exceeds the limits of a graph.
  std::int64_t size() const;
  bool is_integer() const;
  bool is_boolean() const;
  /// All values. Throw Error if their type is not float, float16, bfloat16 or double (floats); bool or an
  /// integer (integers); or if there are more or fewer than the shape says.
  std::vector<float> floats(OnnxFiles& files) const;
  std::vector<std::int64_t> integers(OnnxFiles& files) const;
};

/// Constants computed by the importer.
OnnxTensor onnx_integers(std::vector<std::int64_t> dims, const std::vector<std::int64_t>& values);
OnnxTensor onnx_tensor(const OnnxNumbers& numbers);

struct OnnxAttribute {
  std::int64_t integer = 0;
  float real = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> reals;
  OnnxTensor tensor;
};

struct OnnxNode {
  std::string name, type, domain;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, OnnxAttribute> attributes;

  bool has_input(std::size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  /// Throws Error if it is missing.
  const std::string& input(std::size_t i) const;
  std::int64_t integer(const char* attribute, std::int64_t otherwise) const;
  float real(const char* attribute, float otherwise) const;
  std::string text(const char* attribute, const std::string& otherwise) const;
  /// nullptr if there is none.
  const std::vector<std::int64_t>* integers(const char* attribute) const;
};

/// An input or output with its shape; -1 for dims that are not numbers.
struct OnnxValue {
  std::string name;
  int type = 0;  ///< TensorProto.DataType
  std::vector<std::int64_t> dims;
  /// For an input whose readers all transpose it to channels first: [batch, height, width, channels].
  bool channels_last = false;
};

struct OnnxModel {
  std::int64_t opset = 0;  ///< opset version
  std::vector<OnnxNode> nodes;
  std::map<std::string, std::shared_ptr<const OnnxTensor>> constants;
  std::vector<OnnxValue> inputs;  ///< constants left out
  std::vector<OnnxValue> outputs;
};

/// Parses the file's bytes, which must outlive the model. Throws Error if they are not an ONNX model.
OnnxModel parse_onnx(std::string_view bytes);

/// "int8"; "type 99" for types that ONNX does not have.
std::string onnx_type_name(int type);
/// float, float16, bfloat16 or double.
bool is_onnx_float(int type);

}  // namespace opsched
