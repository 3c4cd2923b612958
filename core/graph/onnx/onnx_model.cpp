#include "core/graph/onnx/onnx_model.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/error.hpp"
#include "core/graph/onnx/protobuf_reader.hpp"
#include "core/graph/operator.hpp"

namespace opsched {
namespace {

// TensorProto.DataType
enum DataType {
  type_float = 1,
  type_uint8 = 2,
  type_int8 = 3,
  type_uint16 = 4,
  type_int16 = 5,
  type_int32 = 6,
  type_int64 = 7,
  type_bool = 9,
  type_float16 = 10,
  type_double = 11,
  type_uint32 = 12,
  type_uint64 = 13,
  type_bfloat16 = 16
};

/// Bytes per value; 0 for types that we do not read.
std::size_t width_of(int type) {
  switch (type) {
    case type_uint8:
    case type_int8:
    case type_bool:
      return 1;
    case type_uint16:
    case type_int16:
    case type_float16:
    case type_bfloat16:
      return 2;
    case type_float:
    case type_int32:
    case type_uint32:
      return 4;
    case type_double:
    case type_int64:
    case type_uint64:
      return 8;
    default:
      return 0;
  }
}

/// Field numbers here and below are those of onnx.proto.
OnnxTensor parse_tensor(std::string_view bytes) {
  OnnxTensor tensor;
  tensor.message = bytes;
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
      case 8:
        tensor.name = field.bytes();
        break;
      case 9:
        tensor.raw = field.bytes();
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
      case 7:
        field.fixed(4, [&](std::uint64_t bits) {
          attribute.reals.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        });
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

/// Bytes of the last field `number` of a message; empty if there is none.
std::string_view sub_message(std::string_view bytes, int number) {
  std::string_view found;
  for (ProtobufReader field(bytes); field.next();)
    if (field.field() == number) found = field.bytes();
  return found;
}

/// ValueInfoProto: name, type { tensor_type { elem_type, shape { dim { dim_value } } } }.
OnnxValue parse_value(std::string_view bytes) {
  OnnxValue value;
  value.name = sub_message(bytes, 1);
  const std::string_view type = sub_message(sub_message(bytes, 2), 1);
  for (ProtobufReader field(type); field.next();)
    if (field.field() == 1) value.type = static_cast<int>(field.integer());
  for (ProtobufReader shape(sub_message(type, 2)); shape.next();) {
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
        auto tensor = std::make_shared<const OnnxTensor>(parse_tensor(field.bytes()));
        model.constants[tensor->name] = tensor;
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

double to_double(std::uint64_t bits, int type) {
  switch (type) {
    case type_float:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    case type_bfloat16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    case type_float16:
      return half_to_double(static_cast<std::uint16_t>(bits));
    default:
      return std::bit_cast<double>(bits);
  }
}

std::int64_t to_integer(std::uint64_t bits, int type) {
  switch (type) {
    case type_int8:
      return static_cast<std::int8_t>(bits);
    case type_int16:
      return static_cast<std::int16_t>(bits);
    case type_int32:
      return static_cast<std::int32_t>(bits);
    default:
      return static_cast<std::int64_t>(bits);
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
      throw Error("constant '" + name + "': its shape is negative or has more than " + std::to_string(max_elements) +
                  " values");
    count *= dim;
  }
  return count;
}

namespace {

[[noreturn]] void throw_count(const OnnxTensor& tensor, std::size_t found) {
  throw Error("constant '" + tensor.name + "': has " + std::to_string(found) + " values, but its shape has " +
              std::to_string(tensor.size()));
}

/// Raw bytes of the values; empty if they are in a typed field.
std::string_view bytes_of(const OnnxTensor& tensor, OnnxFiles& files) {
  const std::size_t width = width_of(tensor.type), count = static_cast<std::size_t>(tensor.size());
  std::string_view bytes = tensor.raw;
  if (tensor.external.contains("location")) {
    const auto offset = tensor.external.find("offset");
    try {
      bytes =
          files.bytes(tensor.external.at("location"), offset == tensor.external.end() ? 0 : number_of(offset->second),
                      static_cast<std::int64_t>(count * width));
    } catch (const Error& e) {
      throw Error("constant '" + tensor.name + "': " + e.what());
    }
  }
  if (!bytes.empty() && bytes.size() != count * width)
    throw Error("constant '" + tensor.name + "': has " + std::to_string(bytes.size()) + " bytes, but its shape needs " +
                std::to_string(count * width));
  return bytes;
}

/// Calls take(bits) for every value.
template <class Take>
void each_value(const OnnxTensor& tensor, OnnxFiles& files, const Take& take) {
  const std::size_t width = width_of(tensor.type), count = static_cast<std::size_t>(tensor.size());
  const std::string_view bytes = bytes_of(tensor, files);
  if (bytes.empty()) {
    std::size_t found = 0;
    for (ProtobufReader field(tensor.message); field.next();) {
      const auto one = [&](std::uint64_t bits) {
        if (++found > count) throw_count(tensor, found);
        take(bits);
      };
      if (field.field() == 4 || field.field() == 10)  // float, double
        field.fixed(field.field() == 4 ? 4 : 8, one);
      else if (field.field() == 5 || field.field() == 7 || field.field() == 11)  // int32 and smaller, int64, uint64
        field.numbers(one);
    }
    if (found != count) throw_count(tensor, found);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits = 0;
    for (std::size_t b = width; b-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes[i * width + b]);
    take(bits);
  }
}

template <class T>
OnnxTensor computed_tensor(int type, std::vector<std::int64_t> dims, const std::vector<T>& values) {
  auto bytes = std::make_shared<std::string>();
  for (const T value : values) {
    using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                    std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>>;
    std::uint64_t bits = std::bit_cast<Bits>(value);
    for (std::size_t b = 0; b < sizeof(T); ++b, bits >>= 8) bytes->push_back(static_cast<char>(bits & 255));
  }
  OnnxTensor tensor;
  tensor.name = "(computed)";
  tensor.dims = std::move(dims);
  tensor.type = type;
  tensor.raw = *bytes;
  tensor.computed = std::move(bytes);
  return tensor;
}

}  // namespace

bool OnnxTensor::is_integer() const { return width_of(type) > 0 && !is_onnx_float(type); }
bool OnnxTensor::is_boolean() const { return type == type_bool; }

std::vector<float> OnnxTensor::floats(OnnxFiles& files) const {
  if (!is_onnx_float(type))
    throw Error("constant '" + name + "': has values of type " + onnx_type_name(type) +
                ", which is not supported here; use float, float16, bfloat16 or double");
  std::vector<float> values;
  const std::string_view bytes = bytes_of(*this, files);
  if (type == type_float && !bytes.empty() && std::endian::native == std::endian::little) {
    values.resize(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  values.reserve(std::min<std::size_t>(size(), 1 << 20));
  each_value(*this, files, [&](std::uint64_t bits) { values.push_back(static_cast<float>(to_double(bits, type))); });
  return values;
}

std::vector<std::int64_t> OnnxTensor::integers(OnnxFiles& files) const {
  if (!is_integer())
    throw Error("constant '" + name + "': has values of type " + onnx_type_name(type) + ", but integers are needed");
  std::vector<std::int64_t> values;
  values.reserve(std::min<std::size_t>(size(), 1 << 20));
  each_value(*this, files, [&](std::uint64_t bits) { values.push_back(to_integer(bits, type)); });
  return values;
}

OnnxTensor onnx_integers(std::vector<std::int64_t> dims, const std::vector<std::int64_t>& values) {
  return computed_tensor(type_int64, std::move(dims), values);
}
OnnxTensor onnx_tensor(const OnnxNumbers& numbers) {
  if (numbers.type != OnnxNumbers::Type::floating) {
    OnnxTensor tensor = onnx_integers(numbers.dims, numbers.integers());
    if (numbers.type == OnnxNumbers::Type::boolean)
      tensor =
          computed_tensor(type_bool, numbers.dims, std::vector<char>(numbers.values.begin(), numbers.values.end()));
    return tensor;
  }
  return computed_tensor(type_float, numbers.dims, std::vector<float>(numbers.values.begin(), numbers.values.end()));
}

const std::string& OnnxNode::input(std::size_t i) const {
  if (!has_input(i)) throw Error("input " + std::to_string(i) + " is missing");
  return inputs[i];
}
std::int64_t OnnxNode::integer(const char* attribute, std::int64_t otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.integer;
}
float OnnxNode::real(const char* attribute, float otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.real;
}
std::string OnnxNode::text(const char* attribute, const std::string& otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.text;
}
const std::vector<std::int64_t>* OnnxNode::integers(const char* attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? nullptr : &found->second.integers;
}

bool is_onnx_float(int type) {
  return type == type_float || type == type_float16 || type == type_bfloat16 || type == type_double;
}

std::string onnx_type_name(int type) {
  static const std::map<int, const char*> names = {
      {type_float, "float"},   {type_uint8, "uint8"},       {type_int8, "int8"},     {type_uint16, "uint16"},
      {type_int16, "int16"},   {type_int32, "int32"},       {type_int64, "int64"},   {8, "string"},
      {type_bool, "bool"},     {type_float16, "float16"},   {type_double, "double"}, {type_uint32, "uint32"},
      {type_uint64, "uint64"}, {type_bfloat16, "bfloat16"}, {14, "complex64"},       {15, "complex128"}};
  const auto found = names.find(type);
  return found == names.end() ? "type " + std::to_string(type) : found->second;
}

OnnxModel parse_onnx(std::string_view bytes) {
  OnnxModel model;
  const std::string_view graph = sub_message(bytes, 7);
  if (graph.empty()) throw Error("it holds no graph: not an ONNX model");
  for (ProtobufReader field(bytes); field.next();) {
    if (field.field() != 8) continue;
    const std::string_view domain = sub_message(field.bytes(), 1);
    if (!domain.empty() && domain != "ai.onnx") continue;
    for (ProtobufReader set(field.bytes()); set.next();)
      if (set.field() == 2) model.opset = set.integer();
  }
  parse_graph(graph, model);
  std::erase_if(model.inputs, [&](const OnnxValue& input) { return model.constants.contains(input.name); });
  return model;
}

}  // namespace opsched
