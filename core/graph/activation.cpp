#include "core/graph/activation.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"

namespace opsched {
namespace {

struct Entry {
  const char* name;
  int parameters;
};
constexpr Entry entries[Activation::kinds] = {{"none", 0},       {"relu", 0}, {"tanh", 0}, {"sigmoid", 0},
                                              {"leaky_relu", 1}, {"elu", 1},  {"clip", 2}, {"hard_sigmoid", 2},
                                              {"hard_swish", 0}, {"silu", 0}, {"gelu", 0}, {"softplus", 0}};

/// The shortest text that parses to the same number.
std::string text_of(float value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

}  // namespace

const char* activation_name(Activation::Kind kind) { return entries[kind].name; }
int activation_parameters(Activation::Kind kind) { return entries[kind].parameters; }

std::string to_string(const Activation& act) {
  std::string text = activation_name(act.kind);
  const int parameters = activation_parameters(act.kind);
  if (parameters > 0) text += "(" + text_of(act.a) + (parameters > 1 ? "," + text_of(act.b) : "") + ")";
  return text;
}

Activation parse_activation(std::string_view text) {
  const std::string_view name = text.substr(0, text.find('('));
  std::string known;
  for (int k = 0; k < Activation::kinds; ++k) {
    const Entry& entry = entries[k];
    known += (k > 0 ? ", " : "") + std::string(entry.name) +
             (entry.parameters == 0   ? ""
              : entry.parameters == 1 ? "(a)"
                                      : "(a,b)");
    if (name != entry.name) continue;
    Activation act(static_cast<Activation::Kind>(k));
    const char *at = text.data() + name.size(), *const end = text.data() + text.size();
    bool good = true;
    for (int p = 0; p < entry.parameters && good; ++p) {
      good = at != end && *at == (p == 0 ? '(' : ',');
      float& value = p == 0 ? act.a : act.b;
      if (!good) break;
      const auto result = std::from_chars(at + 1, end, value);
      good = result.ec == std::errc{} && !std::isnan(value);
      at = result.ptr;
    }
    if (good && entry.parameters > 0) good = at != end && *at++ == ')';
    if (good && at == end) return act;
  }
  throw Error("activation '" + std::string(text) + "' is unknown; known: " + known);
}

float activated(float x, const Activation& act) {
  switch (act.kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::leaky_relu:
      return x < 0 ? act.a * x : x;
    case Activation::elu:
      return x < 0 ? act.a * std::expm1(x) : x;
    case Activation::clip:  // as in ONNX: b wins if a is larger
      x = x < act.a ? act.a : x;
      return x > act.b ? act.b : x;
    case Activation::hard_sigmoid:
      x = act.a * x + act.b;
      return x < 0 ? 0 : x > 1 ? 1 : x;
    case Activation::hard_swish: {
      const float gate = x / 6 + 0.5f;
      return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
    }
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return 0.5f * x * std::erfc(-x * 0.70710678f);
    case Activation::softplus:
      return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x)));
  }
  throw Error("an activation that does not exist");
}

}  // namespace opsched
