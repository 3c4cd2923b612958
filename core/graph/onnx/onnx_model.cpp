#include "core/graph/onnx/onnx_model.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/onnx/protobuf_reader.hpp"
#include "core/graph/operator.hpp"

namespace opsched {
namespace {

// TensorProto.DataType
constexpr int type_float = 1, type_int32 = 6, type_int64 = 7, type_float16 = 10, type_double = 11;

/// Field numbers here and below are those of onnx.proto.
OnnxTensor parse_tensor(std::string_view bytes) {
  OnnxTensor tensor;
  const auto packed = [&](const ProtobufReader& field, std::size_t width) {
    const std::string_view list = field.bytes();
    if (list.size() % width != 0) throw Error("a list of numbers ends in the middle of one");
    for (std::size_t at = 0; at < list.size(); at += width) {
      std::uint64_t bits = 0;
      for (std::size_t i = width; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(list[at + i]);
      tensor.values.push_back(width == 8 ? std::bit_cast<double>(bits)
                                         : std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    }
  };
  const auto pair = [&](std::string_view entry) {
    std::string key, value;
    for (ProtobufReader field(entry); field.next();) (field.field() == 1 ? key : value) = field.bytes();
    tensor.external[key] = value;
  };
  for (ProtobufReader field(bytes); field.next();) {
    switch (field.field()) {
      case 1:
        field.numbers([&](std::uint64_t n) { tensor.dims.push_back(static_cast<std::int64_t>(n)); });
        break;
      case 2:
        tensor.type = static_cast<int>(field.integer());
        break;
      case 4:
        packed(field, 4);
        break;
      case 5:  // int32, and the bits of float16
      case 7:
        field.numbers(
            [&](std::uint64_t n) { tensor.values.push_back(static_cast<double>(static_cast<std::int64_t>(n))); });
        break;
      case 8:
        tensor.name = field.bytes();
        break;
      case 9:
        tensor.raw = field.bytes();
        break;
      case 10:
        packed(field, 8);
        break;
      case 13:
        pair(field.bytes());
        break;
    }
  }
  return tensor;
}

OnnxAttribute parse_attribute(std::string_view bytes, std::string& name) {
  OnnxAttribute attribute;
  for (ProtobufReader field(bytes); field.next();) {
    switch (field.field()) {
      case 1:
        name = field.bytes();
        break;
      case 2:
        attribute.real = field.real();
        break;
      case 3:
        attribute.integer = field.integer();
        break;
      case 4:
        attribute.text = field.bytes();
        break;
      case 5:
        attribute.tensor = parse_tensor(field.bytes());
        break;
      case 8:
        field.numbers([&](std::uint64_t n) { attribute.integers.push_back(static_cast<std::int64_t>(n)); });
        break;
    }
  }
  return attribute;
}

OnnxNode parse_node(std::string_view bytes) {
  OnnxNode node;
  for (ProtobufReader field(bytes); field.next();) {
    switch (field.field()) {
      case 1:
        node.inputs.emplace_back(field.bytes());
        break;
      case 2:
        node.outputs.emplace_back(field.bytes());
        break;
      case 3:
        node.name = field.bytes();
        break;
      case 4:
        node.type = field.bytes();
        break;
      case 5: {
        std::string name;
        OnnxAttribute attribute = parse_attribute(field.bytes(), name);
        node.attributes[name] = std::move(attribute);
        break;
      }
      case 7:
        node.domain = field.bytes();
        break;
    }
  }
  return node;
}

/// The bytes of the last field `number` of a message; empty if it has none.
std::string_view sub_message(std::string_view bytes, int number) {
  std::string_view found;
  for (ProtobufReader field(bytes); field.next();)
    if (field.field() == number) found = field.bytes();
  return found;
}

/// ValueInfoProto: name, type { tensor_type { shape { dim { dim_value } } } }.
OnnxValue parse_value(std::string_view bytes) {
  OnnxValue value;
  value.name = sub_message(bytes, 1);
  for (ProtobufReader shape(sub_message(sub_message(sub_message(bytes, 2), 1), 2)); shape.next();) {
    if (shape.field() != 1) continue;
    value.dims.push_back(-1);
    for (ProtobufReader dim(shape.bytes()); dim.next();)
      if (dim.field() == 1) value.dims.back() = dim.integer();
  }
  return value;
}

void parse_graph(std::string_view bytes, OnnxModel& model) {
  for (ProtobufReader field(bytes); field.next();) {
    switch (field.field()) {
      case 1:
        model.nodes.push_back(parse_node(field.bytes()));
        break;
      case 5: {
        OnnxTensor tensor = parse_tensor(field.bytes());
        const std::string name = tensor.name;
        model.constants[name] = std::move(tensor);
        break;
      }
      case 11:
        model.inputs.push_back(parse_value(field.bytes()));
        break;
      case 12:
        model.outputs.push_back(parse_value(field.bytes()));
        break;
    }
  }
}

double half_to_double(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? std::nan("") : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

double decode(std::uint64_t bits, int type) {
  switch (type) {
    case type_float:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    case type_float16:
      return half_to_double(static_cast<std::uint16_t>(bits));
    case type_double:
      return std::bit_cast<double>(bits);
    case type_int32:
      return static_cast<std::int32_t>(bits);
    default:
      return static_cast<double>(static_cast<std::int64_t>(bits));
  }
}

std::int64_t number_of(const std::string& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : -1;
}

}  // namespace

std::int64_t OnnxTensor::size() const {
  std::int64_t count = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0 || (dim > 0 && count > max_elements / dim))
      throw Error("constant '" + name + "': more than " + std::to_string(max_elements) + " values, or less than none");
    count *= dim;
  }
  return count;
}

std::vector<double> OnnxTensor::read(const std::string& folder) const {
  const std::string where = "constant '" + name + "': ";
  const std::size_t width = type == type_float || type == type_int32    ? 4
                            : type == type_double || type == type_int64 ? 8
                            : type == type_float16                      ? 2
                                                                        : 0;
  if (width == 0)
    throw Error(where + "data type " + std::to_string(type) +
                " is not supported; known: float, float16, double, int32, int64");
  const auto count = static_cast<std::size_t>(size());
  std::string file;
  std::string_view bytes = raw;
  if (external.contains("location")) {
    const std::string location = external.at("location");
    if (location.starts_with('/') || location.find("..") != std::string::npos)
      throw Error(where + "its data is outside the model's folder, at '" + location + "'");
    file = read_file(std::filesystem::path(folder) / location, std::int64_t{2} << 30);
    const std::int64_t offset = external.contains("offset") ? number_of(external.at("offset")) : 0;
    const std::uint64_t length = count * width;
    if (offset < 0 || static_cast<std::uint64_t>(offset) > file.size() || length > file.size() - offset)
      throw Error(where + "'" + location + "' is too short for it");
    bytes = std::string_view(file).substr(offset, length);
  }
  if (bytes.empty() && values.size() == count) {
    std::vector<double> result = values;
    if (type == type_float16) {
      for (double& v : result) {
        if (!(v >= 0 && v <= 0xffff)) throw Error(where + "a float16 of more than 16 bits");
        v = half_to_double(static_cast<std::uint16_t>(v));
      }
    }
    return result;
  }
  if (bytes.size() != count * width)
    throw Error(where + "has " + std::to_string(bytes.empty() ? values.size() : bytes.size() / width) +
                " values where its shape says " + std::to_string(count));
  std::vector<double> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits = 0;
    for (std::size_t b = width; b-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes[i * width + b]);
    result[i] = decode(bits, type);
  }
  return result;
}

OnnxModel parse_onnx(std::string_view bytes) {
  OnnxModel model;
  const std::string_view graph = sub_message(bytes, 7);
  if (graph.empty()) throw Error("holds no graph: not an ONNX model");
  parse_graph(graph, model);
  std::erase_if(model.inputs, [&](const OnnxValue& input) { return model.constants.contains(input.name); });
  return model;
}

}  // namespace opsched
