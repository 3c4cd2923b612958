// Operators that treat every number alike: activations, sums, products.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

void activation(OnnxReader& reader, const OnnxNode& node, Activation act) {
  const OnnxData from = reader.data(node, 0);
  const int unit = reader.add_unit(node, from);
  reader.append(unit, Activate{act});
  reader.define(node, unit, from.dims);
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
  if (node.text("approximate", "none") != "none") throw Error("only the exact function is supported");
  activation(reader, node, Activation::gelu);
}
void clip(OnnxReader& reader, const OnnxNode& node) {
  constexpr double most = std::numeric_limits<float>::max();
  const double low = reader.number(node, 1, node.real("min", static_cast<float>(-most))),
               high = reader.number(node, 2, node.real("max", static_cast<float>(most)));
  activation(reader, node, {Activation::clip, static_cast<float>(low), static_cast<float>(high)});
}
/// One slope for all channels is that of a leaky relu.
void p_relu(OnnxReader& reader, const OnnxNode& node) {
  activation(reader, node, {Activation::leaky_relu, static_cast<float>(reader.number(node, 1, 0))});
}

/// The sum of lists of pieces of one total width, cut where any of them ends.
std::vector<Term> sum_terms(const std::vector<OnnxData>& summands) {
  std::vector<std::size_t> at(summands.size(), 0);  // piece
  std::vector<int> taken(summands.size(), 0);       // channels of it
  std::vector<Term> terms;
  for (int channel = 0; channel < summands[0].shape.c;) {
    int width = summands[0].shape.c;
    for (std::size_t s = 0; s < summands.size(); ++s)
      width = std::min(width, summands[s].pieces[at[s]].channels() - taken[s]);
    Term& term = terms.emplace_back();
    for (std::size_t s = 0; s < summands.size(); ++s) {
      const Value& piece = summands[s].pieces[at[s]];
      term.push_back({piece.op, piece.begin + taken[s], piece.begin + taken[s] + width});
      if ((taken[s] += width) == piece.channels()) ++at[s], taken[s] = 0;
    }
    channel += width;
  }
  return terms;
}

void add_up(OnnxReader& reader, const OnnxNode& node, const std::vector<OnnxData>& summands) {
  for (const OnnxData& summand : summands)
    if (summand.dims != summands[0].dims || summand.shape != summands[0].shape)
      throw Error("its inputs " + to_string(summands[0].dims) + " and " + to_string(summand.dims) +
                  " do not fit together: only values of one shape are supported here");
  reader.define(node, reader.add_unit(node, sum_terms(summands)), summands[0].dims);
}

void sum(OnnxReader& reader, const OnnxNode& node) {
  std::vector<OnnxData> summands;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) summands.push_back(reader.data(node, i));
  if (summands.empty()) throw Error("has no input");
  add_up(reader, node, summands);
}

/// A constant that is one number for each channel of `data`, after ONNX's broadcasting.
std::vector<float> by_channel(OnnxReader& reader, const OnnxTensor& constant, const OnnxData& data) {
  const std::size_t rank = constant.dims.size();
  bool fits = rank <= data.dims.size();
  for (std::size_t d = 0; fits && d < rank; ++d) {
    const std::size_t axis = data.dims.size() - rank + d;
    fits = constant.dims[d] == 1 || (axis == 1 && constant.dims[d] == data.dims[1]);
  }
  if (!fits)
    throw Error("a constant of the shape " + to_string(constant.dims) + " with a value of the shape " +
                to_string(data.dims) + "; only one number, or one for each channel, is supported");
  std::vector<float> values = reader.floats(constant);
  for (float value : values)
    if (!std::isfinite(value)) throw Error("constant '" + constant.name + "' is not finite");
  if (values.size() == 1) values.resize(data.shape.c, values[0]);
  return values;
}

void affine(OnnxReader& reader, const OnnxNode& node, const OnnxData& from, std::vector<float> factor,
            std::vector<float> bias) {
  const int unit = reader.add_unit(node, from);
  reader.append_affine(unit, std::move(factor), std::move(bias));
  reader.define(node, unit, from.dims);
}

/// Which of the two inputs is a constant; -1: none.
int constant_input(OnnxReader& reader, const OnnxNode& node) {
  for (int i : {0, 1})
    if (reader.constant(node, i)) return i;
  return -1;
}

void add(OnnxReader& reader, const OnnxNode& node) {
  const int constant = constant_input(reader, node);
  if (constant < 0) return add_up(reader, node, {reader.data(node, 0), reader.data(node, 1)});
  const OnnxData from = reader.channels(node, 1 - constant);
  affine(reader, node, from, std::vector<float>(from.shape.c, 1.0f),
         by_channel(reader, *reader.constant(node, constant), from));
}

void subtract(OnnxReader& reader, const OnnxNode& node) {
  const int constant = constant_input(reader, node);
  if (constant < 0) {
    const OnnxData right = reader.channels(node, 1);
    const int negative = reader.add_unit(node, right);
    reader.append_affine(negative, std::vector<float>(right.shape.c, -1.0f), std::vector<float>(right.shape.c, 0.0f));
    return add_up(reader, node, {reader.data(node, 0), {{reader.units().all(negative)}, right.shape, right.dims}});
  }
  const OnnxData from = reader.channels(node, 1 - constant);
  std::vector<float> bias = by_channel(reader, *reader.constant(node, constant), from);
  if (constant == 1)
    for (float& b : bias) b = -b;
  affine(reader, node, from, std::vector<float>(from.shape.c, constant == 1 ? 1.0f : -1.0f), std::move(bias));
}

/// The shape of a value that takes part in a product as [batch, channels, height, width]. With fewer
/// dimensions it would be other axes that are repeated.
void multiply_values(OnnxReader& reader, const OnnxNode& node) {
  const OnnxData left = reader.channels(node, 0), right = reader.channels(node, 1);
  if (left.dims != right.dims && (left.dims.size() != 4 || right.dims.size() != 4))
    throw Error("its inputs " + to_string(left.dims) + " and " + to_string(right.dims) +
                " do not fit together: only images, or values of one shape, are supported here");
  std::vector<std::int64_t> dims = left.dims;
  for (std::size_t d = 0; d < dims.size(); ++d) dims[d] = std::max(dims[d], right.dims[d]);
  if (left.dims == right.dims && left.shape != right.shape)
    throw Error("its inputs have been reshaped in different ways");
  const Term first = reader.term_of(node, left), second = reader.term_of(node, right);
  reader.define(node, reader.add_product(node, {first, second}), dims);
}

void multiply(OnnxReader& reader, const OnnxNode& node) {
  const int constant = constant_input(reader, node);
  if (constant < 0) return multiply_values(reader, node);
  const OnnxData from = reader.channels(node, 1 - constant);
  affine(reader, node, from, by_channel(reader, *reader.constant(node, constant), from),
         std::vector<float>(from.shape.c, 0.0f));
}

void divide(OnnxReader& reader, const OnnxNode& node) {
  if (constant_input(reader, node) != 1) throw Error("only a division by a constant is supported");
  const OnnxData from = reader.channels(node, 0);
  std::vector<float> factor = by_channel(reader, *reader.constant(node, 1), from);
  for (float& f : factor) {
    if (f == 0) throw Error("divides by zero");
    f = 1 / f;
  }
  affine(reader, node, from, std::move(factor), std::vector<float>(from.shape.c, 0.0f));
}

}  // namespace

void add_onnx_elementwise(OnnxOperators& operators) {
  operators["Add"] = add;
  operators["Clip"] = clip;
  operators["Div"] = divide;
  operators["Elu"] = elu;
  operators["Gelu"] = gelu;
  operators["HardSigmoid"] = hard_sigmoid;
  operators["HardSwish"] = plain<Activation::hard_swish>;
  operators["LeakyRelu"] = leaky_relu;
  operators["Mul"] = multiply;
  operators["PRelu"] = p_relu;
  operators["Relu"] = plain<Activation::relu>;
  operators["Sigmoid"] = plain<Activation::sigmoid>;
  operators["Softplus"] = plain<Activation::softplus>;
  operators["Sub"] = subtract;
  operators["Sum"] = sum;
  operators["Tanh"] = plain<Activation::tanh>;
}

}  // namespace opsched
