#include "core/graph/onnx/protobuf_reader.hpp"

#include <bit>
#include <string>

#include "core/error.hpp"

namespace opsched {

std::string_view ProtobufReader::take(std::uint64_t size) {
  if (size > rest_.size()) throw Error("the file ends in the middle of a field (is it complete?)");
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::uint64_t ProtobufReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  throw Error("a number of more than 64 bits: not an ONNX file");
}

std::uint64_t ProtobufReader::little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void ProtobufReader::fail_in_the_middle() { throw Error("a list of numbers ends in the middle of a number"); }

bool ProtobufReader::next() {
  if (rest_.empty()) return false;
  const std::uint64_t tag = varint();
  if (tag >> 3 == 0 || tag >> 3 > (1u << 29)) throw Error("a field without a number: not an ONNX file");
  field_ = static_cast<int>(tag >> 3);
  type_ = static_cast<Type>(tag & 7);
  switch (type_) {
    case Type::varint:
      number_ = varint();
      return true;
    case Type::fixed64:
      number_ = little_endian(take(8));
      return true;
    case Type::fixed32:
      number_ = little_endian(take(4));
      return true;
    case Type::bytes:
      bytes_ = take(varint());
      return true;
  }
  throw Error("a field of unknown type: not an ONNX file");
}

std::uint64_t ProtobufReader::number() const {
  if (type_ == Type::bytes) throw Error("field " + std::to_string(field_) + " is not a number: not an ONNX file");
  return number_;
}

float ProtobufReader::real() const { return std::bit_cast<float>(static_cast<std::uint32_t>(number())); }

std::string_view ProtobufReader::bytes() const {
  if (type_ != Type::bytes) throw Error("field " + std::to_string(field_) + " is a number: not an ONNX file");
  return bytes_;
}

}  // namespace opsched
