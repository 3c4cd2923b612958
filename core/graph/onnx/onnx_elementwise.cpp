// Unary element-wise operators.
#include <limits>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

void activation(OnnxReader& reader, const OnnxNode& node, Activation act) {
  const OnnxData from = reader.computed(node, 0);
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Activate{act});
  reader.define_like(node, unit, from);
}
template <Activation::Kind kind>
void plain(OnnxReader& reader, const OnnxNode& node) {
  activation(reader, node, kind);
}
void leaky_relu(OnnxReader& reader, const OnnxNode& node) {
  activation(reader, node, {Activation::leaky_relu, node.real("alpha", 0.01f)});
}
void elu(OnnxReader& reader, const OnnxNode& node) {
  activation(reader, node, {Activation::elu, node.real("alpha", 1)});
}
void hard_sigmoid(OnnxReader& reader, const OnnxNode& node) {
  activation(reader, node, {Activation::hard_sigmoid, node.real("alpha", 0.2f), node.real("beta", 0.5f)});
}
void gelu(OnnxReader& reader, const OnnxNode& node) {
  if (node.text("approximate", "none") != "none")
    throw Error("only the exact form (approximate = 'none') is supported");
  activation(reader, node, Activation::gelu);
}
void clip(OnnxReader& reader, const OnnxNode& node) {
  constexpr double most = std::numeric_limits<float>::max();
  const double low = reader.number(node, 1, node.real("min", static_cast<float>(-most))),
               high = reader.number(node, 2, node.real("max", static_cast<float>(most)));
  activation(reader, node, {Activation::clip, static_cast<float>(low), static_cast<float>(high)});
}
}  // namespace

void add_onnx_elementwise(OnnxOperators& operators) {
  operators["Clip"] = clip;
  operators["Elu"] = elu;
  operators["Gelu"] = gelu;
  operators["HardSigmoid"] = hard_sigmoid;
  operators["HardSwish"] = plain<Activation::hard_swish>;
  operators["LeakyRelu"] = leaky_relu;
  operators["Relu"] = plain<Activation::relu>;
  operators["Sigmoid"] = plain<Activation::sigmoid>;
  operators["Softplus"] = plain<Activation::softplus>;
  operators["Tanh"] = plain<Activation::tanh>;
}

}  // namespace opsched
