// Constants of an ONNX model: their types and values.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_model.hpp"
#include "core/graph/onnx/protobuf_reader.hpp"

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

}  // namespace opsched
