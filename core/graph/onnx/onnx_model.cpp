#include "core/graph/onnx/onnx_model.hpp"

#include <algorithm>
#include <bit>

#include "core/error.hpp"
#include "core/graph/onnx/protobuf_reader.hpp"
#include "core/graph/operator.hpp"

namespace opsched {
namespace {

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

}  // namespace

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
