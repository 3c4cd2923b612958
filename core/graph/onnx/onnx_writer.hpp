// Writes ONNX models, node by node.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace opsched {

/// The wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding), as much as ONNX needs.
class ProtobufMessage {
 public:
  ProtobufMessage& number(int field, std::uint64_t value) {
    varint(std::uint64_t(field) << 3);
    varint(value);
    return *this;
  }
  ProtobufMessage& real(int field, float value) {
    varint(std::uint64_t(field) << 3 | 5);
    for (auto bits = std::bit_cast<std::uint32_t>(value); const int shift : {0, 8, 16, 24})
      bytes_ += static_cast<char>(bits >> shift);
    return *this;
  }
  ProtobufMessage& bytes(int field, const std::string& value) {
    varint(std::uint64_t(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  ProtobufMessage& message(int field, const ProtobufMessage& value) { return bytes(field, value.bytes_); }
  const std::string& text() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>((value & 127) | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

inline constexpr int onnx_float = 1, onnx_int32 = 6, onnx_int64 = 7, onnx_bool = 9;

class OnnxWriter {
 public:
  using Dims = std::vector<std::int64_t>;
  using Attribute = std::variant<std::int64_t, float, std::string, Dims>;
  using Attributes = std::map<std::string, Attribute>;

  /// `opset`: version of ONNX's own operators.
  explicit OnnxWriter(int opset = 17) : opset_(opset) {}

  /// A dimension of -1 is symbolic.
  OnnxWriter& input(const std::string& name, const Dims& dims, int type = onnx_float) {
    graph_.message(11, value(name, dims, type));
    return *this;
  }
  OnnxWriter& output(const std::string& name, const Dims& dims = {}) {
    graph_.message(12, value(name, dims, onnx_float));
    return *this;
  }
  OnnxWriter& name(const std::string& graph) {
    graph_.bytes(2, graph);
    return *this;
  }
  OnnxWriter& node(const std::string& type, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs, const Attributes& attributes = {},
                   const std::string& domain = "") {
    ProtobufMessage node;
    for (const std::string& name : inputs) node.bytes(1, name);
    for (const std::string& name : outputs) node.bytes(2, name);
    node.bytes(4, type);
    if (!outputs.empty()) node.bytes(3, outputs.front());  // its name
    for (const auto& [name, given] : attributes) {
      ProtobufMessage attribute;
      attribute.bytes(1, name);
      if (const auto* i = std::get_if<std::int64_t>(&given)) attribute.number(3, *i).number(20, 2);
      if (const auto* f = std::get_if<float>(&given)) attribute.real(2, *f).number(20, 1);
      if (const auto* s = std::get_if<std::string>(&given)) attribute.bytes(4, *s).number(20, 3);
      if (const auto* list = std::get_if<Dims>(&given)) {
        for (std::int64_t i : *list) attribute.number(8, i);
        attribute.number(20, 7);
      }
      node.message(5, attribute);
    }
    if (!domain.empty()) node.bytes(7, domain);
    graph_.message(1, node);
    return *this;
  }
  OnnxWriter& floats(const std::string& name, const Dims& dims, const std::vector<float>& values) {
    std::string raw;
    raw.reserve(4 * values.size());
    for (const float v : values)
      for (const auto bits = std::bit_cast<std::uint32_t>(v); const int shift : {0, 8, 16, 24})
        raw += static_cast<char>(bits >> shift);
    return constant(name, dims, onnx_float, raw);
  }
  OnnxWriter& integers(const std::string& name, const std::vector<std::int64_t>& values) {
    std::string raw;
    for (const std::int64_t v : values)
      for (int shift = 0; shift < 64; shift += 8) raw += static_cast<char>(v >> shift);
    return constant(name, {static_cast<std::int64_t>(values.size())}, onnx_int64, raw);
  }
  OnnxWriter& constant(const std::string& name, const Dims& dims, int type, const std::string& raw) {
    graph_.message(5, tensor(name, dims, type).bytes(9, raw));
    return *this;
  }
  OnnxWriter& external(const std::string& name, const Dims& dims, const std::string& file, std::int64_t offset) {
    ProtobufMessage constant = tensor(name, dims, onnx_float);
    constant.message(13, ProtobufMessage().bytes(1, "location").bytes(2, file));
    constant.message(13, ProtobufMessage().bytes(1, "offset").bytes(2, std::to_string(offset)));
    graph_.message(5, constant.number(14, 1));
    return *this;
  }
  /// A constant as the file may say it; for fields that the rest of this class does not write.
  OnnxWriter& constant(const ProtobufMessage& message) {
    graph_.message(5, message);
    return *this;
  }
  static ProtobufMessage tensor(const std::string& name, const Dims& dims, int type) {
    ProtobufMessage message;
    for (std::int64_t dim : dims) message.number(1, dim);
    return std::move(message.number(2, type).bytes(8, name));
  }

  std::string bytes() const {
    ProtobufMessage model;
    model.number(1, 8).bytes(2, "opsched").message(7, graph_).message(8, ProtobufMessage().number(2, opset_));
    return model.text();
  }

 private:
  static ProtobufMessage value(const std::string& name, const Dims& dims, int type) {
    ProtobufMessage shape;
    for (std::int64_t dim : dims)
      shape.message(
          1, dim < 0 ? ProtobufMessage().bytes(2, "N") : ProtobufMessage().number(1, static_cast<std::uint64_t>(dim)));
    ProtobufMessage tensor;
    tensor.number(1, type).message(2, shape);
    return ProtobufMessage().bytes(1, name).message(2, ProtobufMessage().message(1, tensor));
  }

  int opset_;
  ProtobufMessage graph_;
};

}  // namespace opsched
