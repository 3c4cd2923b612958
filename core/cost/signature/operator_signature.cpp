// Operators to and from text; the stages made of them are in signature.cpp.
#include <algorithm>
#include <charconv>
#include <string_view>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"

namespace opsched {
namespace {

void add_pair(std::string& text, char tag, const std::array<int, 2>& pair, int usual) {
  if (pair[0] == usual && pair[1] == usual) return;
  text += tag + std::to_string(pair[0]);
  if (pair[0] != pair[1]) text += "x" + std::to_string(pair[1]);
}

const char* suffix(Activation act) { return act == Activation::relu ? "r" : act == Activation::tanh ? "t" : ""; }

void add_layer(std::string& text, const Layer& layer) {
  text += ':';
  if (const auto* conv = std::get_if<Conv2d>(&layer)) {
    text += "c" + std::to_string(conv->out_channels);
    add_pair(text, 'k', conv->kernel, 1);
    add_pair(text, 's', conv->stride, 1);
    add_pair(text, 'p', conv->padding, 0);
    if (conv->groups != 1) text += "g" + std::to_string(conv->groups);
    text += suffix(conv->act);
  } else if (const auto* pool = std::get_if<Pool2d>(&layer)) {
    if (pool->type == PoolType::global_avg) {
      text += 'g';
      return;
    }
    text += pool->type == PoolType::max ? 'm' : 'a';
    if (pool->type == PoolType::avg && !pool->count_padding) text += 'n';
    add_pair(text, 'k', pool->kernel, 1);
    add_pair(text, 's', pool->stride, 1);
    add_pair(text, 'p', pool->padding, 0);
    if (pool->ceil) text += 'u';
  } else {
    text += suffix(std::get<Activate>(layer).act);
  }
}

void add_terms(std::string& text, const Graph& graph, const std::vector<Term>& terms) {
  const auto slices = [&](const Term& term) {
    return std::ranges::count_if(term, [&](const Value& v) { return v.channels() != graph.op(v.op).output.c; });
  };
  if (terms.size() == 1 && terms[0].size() == 1 && slices(terms[0]) == 0) return;
  char separator = '(';
  for (const Term& term : terms) {
    text += separator + std::to_string(term.front().channels());
    separator = '+';
    if (term.size() > 1) text += "*" + std::to_string(term.size());
    if (const auto n = slices(term)) text += "/" + std::to_string(n);
  }
  text += ')';
}

/// Reads a signature from left to right; anything unexpected is an Error.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  int number() {
    int value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{} || value < 0) fail();
    rest_.remove_prefix(end - rest_.data());
    return value;
  }
  std::array<int, 2> pair(char tag, int usual) {
    if (!take(tag)) return {usual, usual};
    const int first = number();
    return {first, take('x') ? number() : first};
  }
  Activation activation() { return take('r') ? Activation::relu : take('t') ? Activation::tanh : Activation::none; }
  [[noreturn]] void fail() const {
    throw Error("not an operator signature: '" + std::string(text_) + "' (at '" + std::string(rest_) + "')");
  }

 private:
  std::string_view text_, rest_;
};

Layer read_layer(Reader& in) {
  if (in.take('c')) {
    Conv2d conv;
    conv.out_channels = in.number();
    conv.kernel = in.pair('k', 1);
    conv.stride = in.pair('s', 1);
    conv.padding = in.pair('p', 0);
    if (in.take('g')) conv.groups = in.number();
    conv.act = in.activation();
    return conv;
  }
  if (in.take('g')) return Pool2d{.type = PoolType::global_avg};
  const bool max = in.take('m');
  if (max || in.take('a')) {
    Pool2d pool{.type = max ? PoolType::max : PoolType::avg};
    if (!max) pool.count_padding = !in.take('n');
    pool.kernel = in.pair('k', 1);
    pool.stride = in.pair('s', 1);
    pool.padding = in.pair('p', 0);
    pool.ceil = in.take('u');
    return pool;
  }
  return Activate{in.activation()};
}

std::vector<Term> read_terms(Reader& in, int channels) {
  if (!in.take('(')) return {{Value{-1, 0, channels}}};
  std::vector<Term> terms;
  int sum = 0;
  do {
    const int width = in.number();
    const int values = in.take('*') ? in.number() : 1;
    if (in.take('/') && in.number() > values) in.fail();
    if (width < 1 || values < 1 || values > 1'000'000) in.fail();
    terms.emplace_back(values, Value{-1, 0, width});
    sum += width;
  } while (in.take('+'));
  in.expect(')');
  if (sum != channels) in.fail();
  return terms;
}

}  // namespace

std::string operator_signature(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  std::string text = std::to_string(op.input.c) + "x" + std::to_string(op.input.h) + "x" + std::to_string(op.input.w);
  if (!op.is_input()) add_terms(text, graph, op.terms);
  for (const Layer& layer : op.layers) add_layer(text, layer);
  return text;
}

std::string solo_key(const std::string& signature, int batch) { return "b" + std::to_string(batch) + " " + signature; }

Operator parse_operator_signature(const std::string& signature) {
  Reader in(signature);
  Operator op;
  op.input.c = in.number();
  in.expect('x');
  op.input.h = in.number();
  in.expect('x');
  op.input.w = in.number();
  op.terms = read_terms(in, op.input.c);
  while (in.take(':')) op.layers.push_back(read_layer(in));
  if (!in.done()) in.fail();
  op.output = op.input;
  try {
    for (const Layer& layer : op.layers) op.output = infer_shape(layer, op.output);
  } catch (const Error& e) {
    throw Error("not an operator signature: '" + signature + "': " + e.what());
  }
  return op;
}

}  // namespace opsched
