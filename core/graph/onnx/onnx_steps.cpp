// Normalisations and GELUs that exporters write as arithmetic. Intermediate steps compute no value here: the importer
// records what each represents, and the last step becomes a layer.
#include <cmath>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {
namespace {

using Kind = OnnxMeaning::Kind;

/// The recorded meaning of an input, if it is of this kind.
const OnnxMeaning* meaning(const OnnxReader& reader, const OnnxNode& node, std::size_t i, Kind kind) {
  const OnnxData* const value = reader.found(node, i);
  return value && value->meaning && value->meaning->kind == kind ? value->meaning.get() : nullptr;
}

bool is(double value, double wanted) { return std::abs(value - wanted) <= 1e-5 * std::abs(wanted); }

/// Records the node's result as the next step, of this kind.
bool step(OnnxReader& reader, const OnnxNode& node, std::size_t input, OnnxMeaning what, Kind kind) {
  what.kind = kind;
  reader.define_step(node, std::move(what), reader.value(node, input));
  return true;
}

bool same_norm(const OnnxMeaning& a, const OnnxMeaning& b) { return same_value(a.of, b.of) && a.how == b.how; }

bool normalise(OnnxReader& reader, const OnnxNode& node, const OnnxMeaning& by) {
  Normalize how = by.how;
  how.epsilon = static_cast<float>(by.number);
  const int unit = reader.add_unit(node, by.of);
  reader.append(unit, how);
  reader.define_like(node, unit, by.of);
  return true;
}

/// gelu(of) * factor
bool gelu(OnnxReader& reader, const OnnxNode& node, const OnnxData& of, double factor) {
  int unit = reader.add_unit(node, of);
  reader.append(unit, Activate{Activation::gelu});
  if (is(factor, 1)) {
    reader.define_like(node, unit, of);
    return true;
  }
  unit = reader.add_unit(node, reader.data_like(unit, of));
  reader.append_affine(unit, std::vector<float>(of.shape.c, static_cast<float>(factor)),
                       std::vector<float>(of.shape.c, 0.0f));
  OnnxData result = reader.data_like(unit, of);
  result.meaning = std::make_shared<const OnnxMeaning>(OnnxMeaning{OnnxMeaning::gelu, of, factor});
  reader.define(node, std::move(result));
  return true;
}

/// If `value` is multiplied by what its own erf became, it is a GELU.
bool gelu_of(OnnxReader& reader, const OnnxNode& node, std::size_t value, const OnnxMeaning& one_more) {
  const OnnxData* const of = reader.found(node, value);
  if (!of) return false;
  if (same_value(*of, one_more.of)) return gelu(reader, node, one_more.of, 2 * one_more.number);
  const OnnxMeaning* const scaled = meaning(reader, node, value, OnnxMeaning::scaled);
  return scaled && same_value(scaled->of, one_more.of) &&
         gelu(reader, node, one_more.of, 2 * one_more.number * scaled->number);
}

void power(OnnxReader& reader, const OnnxNode& node) {
  const std::optional<double> exponent = onnx_scalar(reader, node, 1);
  if (!exponent) throw Error("the exponent must be a constant number");
  if (const auto* centred = meaning(reader, node, 0, OnnxMeaning::centred); centred && *exponent == 2)
    return void(step(reader, node, 0, *centred, OnnxMeaning::squares));
  if (const auto* variance = meaning(reader, node, 0, OnnxMeaning::variance); variance && std::abs(*exponent) == 0.5)
    return void(step(reader, node, 0, *variance, *exponent > 0 ? OnnxMeaning::deviation : OnnxMeaning::inverse));
  const OnnxData from = reader.computed(node, 0);
  if (*exponent != 2) throw Error("only squares are supported; the exponent is " + std::to_string(*exponent));
  const Term factor = reader.term_of(node, from);
  reader.define_like(node, reader.add_product(node, {factor, factor}), from);
}

void square_root(OnnxReader& reader, const OnnxNode& node) {
  const auto* variance = meaning(reader, node, 0, OnnxMeaning::variance);
  if (!variance) throw Error("it is only supported as a step of a normalisation");
  step(reader, node, 0, *variance, OnnxMeaning::deviation);
}

void reciprocal(OnnxReader& reader, const OnnxNode& node) {
  const auto* deviation = meaning(reader, node, 0, OnnxMeaning::deviation);
  if (!deviation) throw Error("it is only supported as a step of a normalisation");
  step(reader, node, 0, *deviation, OnnxMeaning::inverse);
}

void erf(OnnxReader& reader, const OnnxNode& node) {
  const auto* scaled = meaning(reader, node, 0, OnnxMeaning::scaled);
  if (!scaled || !is(scaled->number, std::sqrt(0.5))) throw Error("it is only supported as a step of GELU");
  reader.define_step(node, {OnnxMeaning::erf, scaled->of, 0}, scaled->of);
}

}  // namespace

std::optional<double> onnx_scalar(OnnxReader& reader, const OnnxNode& node, std::size_t i) {
  const OnnxTensor* const tensor = reader.constant(node, i);
  if (!tensor || tensor->size() != 1) return std::nullopt;
  return reader.numbers(*tensor).values.front();
}

bool recognise_onnx_add(OnnxReader& reader, const OnnxNode& node) {
  for (const std::size_t i : {0, 1}) {
    const std::optional<double> number = onnx_scalar(reader, node, 1 - i);
    if (!number) continue;
    if (const auto* variance = meaning(reader, node, i, OnnxMeaning::variance)) {
      OnnxMeaning more = *variance;
      more.number += *number;
      return step(reader, node, i, std::move(more), OnnxMeaning::variance);
    }
    if (const auto* erf_of = meaning(reader, node, i, OnnxMeaning::erf); erf_of && *number == 1) {
      OnnxMeaning more = *erf_of;
      more.number = 1;
      return step(reader, node, i, std::move(more), OnnxMeaning::one_more);
    }
  }
  return false;
}

bool recognise_onnx_sub(OnnxReader& reader, const OnnxNode& node) {
  const auto* mean = meaning(reader, node, 1, OnnxMeaning::mean);
  const OnnxData* const from = reader.found(node, 0);
  return mean && from && same_value(*from, mean->of) && step(reader, node, 0, *mean, OnnxMeaning::centred);
}

bool recognise_onnx_mul(OnnxReader& reader, const OnnxNode& node) {
  for (const std::size_t i : {0, 1}) {
    const auto* centred = meaning(reader, node, i, OnnxMeaning::centred);
    if (const auto* other = meaning(reader, node, 1 - i, OnnxMeaning::centred); centred && other)
      return same_norm(*centred, *other) && step(reader, node, i, *centred, OnnxMeaning::squares);
    if (const auto* inverse = meaning(reader, node, 1 - i, OnnxMeaning::inverse); centred && inverse)
      return same_norm(*centred, *inverse) && normalise(reader, node, *inverse);
    const std::optional<double> number = onnx_scalar(reader, node, 1 - i);
    if (const auto* one_more = meaning(reader, node, i, OnnxMeaning::one_more)) {
      if (!number) return gelu_of(reader, node, 1 - i, *one_more);
      OnnxMeaning more = *one_more;
      more.number *= *number;
      return step(reader, node, i, std::move(more), OnnxMeaning::one_more);
    }
    if (const auto* whole = meaning(reader, node, i, OnnxMeaning::gelu); whole && number)
      return gelu(reader, node, whole->of, whole->number * *number);
  }
  return false;
}

bool recognise_onnx_div(OnnxReader& reader, const OnnxNode& node) {
  const auto* deviation = meaning(reader, node, 1, OnnxMeaning::deviation);
  if (!deviation) return false;
  if (const auto number = onnx_scalar(reader, node, 0); number && *number == 1)
    return step(reader, node, 1, *deviation, OnnxMeaning::inverse);
  const auto* centred = meaning(reader, node, 0, OnnxMeaning::centred);
  return centred && same_norm(*centred, *deviation) && normalise(reader, node, *deviation);
}

void add_onnx_steps(OnnxOperators& operators) {
  operators["Erf"] = erf;
  operators["Pow"] = power;
  operators["Reciprocal"] = reciprocal;
  operators["Sqrt"] = square_root;
}

}  // namespace opsched
