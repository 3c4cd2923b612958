// Converts operators to text and back; signature.cpp combines them to stages.
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

std::string suffix(const Activation& act) {
  if (act.is_basic()) return act == Activation::relu ? "r" : act == Activation::tanh ? "t" : "";
  std::string text = "~" + to_string(act) + "~";  // the words and the wiring of a key are separated by ' ', '@' and ','
  std::ranges::replace(text, ',', ';');
  return text;
}

template <class Window>
void add_rare(std::string& text, const Window& w) {
  add_pair(text, 'd', w.dilation, 1);
  add_pair(text, 'e', w.more_padding, 0);
}

void add_layer(std::string& text, const Layer& layer) {
  text += ':';
  if (const auto* conv = std::get_if<Conv2d>(&layer)) {
    text += "c" + std::to_string(conv->out_channels);
    add_pair(text, 'k', conv->kernel, 1);
    add_pair(text, 's', conv->stride, 1);
    add_pair(text, 'p', conv->padding, 0);
    if (conv->groups != 1) text += "g" + std::to_string(conv->groups);
    add_rare(text, *conv);
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
    add_rare(text, *pool);
  } else if (const auto* resize = std::get_if<Resize2d>(&layer)) {
    text += resize->interpolation == Interpolation::nearest ? "z" : "zl";
    text += std::to_string(resize->size[0]) + "x" + std::to_string(resize->size[1]);
  } else if (const auto* pixels = std::get_if<DepthToSpace>(&layer)) {
    text += pixels->phase_first ? 'q' : 'Q';
    text += std::to_string(pixels->block[0]) + "x" + std::to_string(pixels->block[1]);
    add_pair(text, 'p', pixels->crop, 0);
    add_pair(text, 'e', pixels->crop_end, 0);
  } else if (const auto* row = std::get_if<PixelRow>(&layer)) {
    text += "y" + std::to_string(row->width);
    add_pair(text, 'p', {row->begin, row->begin}, 0);
  } else if (const auto* softmax = std::get_if<Softmax>(&layer)) {
    text += "x" + std::to_string(softmax->size);
    if (softmax->inner != 1) text += "x" + std::to_string(softmax->inner);
  } else if (const auto* normalize = std::get_if<Normalize>(&layer)) {
    text += (normalize->per_pixel ? "v" : "V") + std::to_string(normalize->groups);
  } else {
    text += suffix(std::get<Activate>(layer).act);
  }
}

void add_terms(std::string& text, const Graph& graph, const Operator& op) {
  const std::vector<Term>& terms = op.terms;
  const auto slices = [&](const Term& term) {
    return std::ranges::count_if(term, [&](const Value& v) { return v.channels() != graph.op(v.op).output.c; });
  };
  if (!op.is_product() && terms.size() == 1 && terms[0].size() == 1 && slices(terms[0]) == 0) return;
  std::string separator = op.is_product() ? "(x" : "(";
  for (std::size_t t = 0; t < terms.size(); ++t) {
    const Term& term = terms[t];
    text += separator + std::to_string(term.front().channels());
    separator = "+";
    if (op.is_product() && op.factors[t].h != op.input.h) text += 'h';
    if (op.is_product() && op.factors[t].w != op.input.w) text += 'w';
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
  std::array<int, 2> signed_pair(char tag, int usual) {
    if (!take(tag)) return {usual, usual};
    const auto one = [&] { return take('-') ? -number() : number(); };
    const int first = one();
    return {first, take('x') ? one() : first};
  }
  Activation activation() {
    if (!take('~')) return take('r') ? Activation::relu : take('t') ? Activation::tanh : Activation::none;
    const std::size_t end = rest_.find('~');
    if (end == std::string_view::npos) fail();
    std::string text(rest_.substr(0, end));
    std::ranges::replace(text, ';', ',');
    rest_.remove_prefix(end + 1);
    return parse_activation(text);
  }
  [[noreturn]] void fail() const {
    throw Error("not an operator signature: '" + std::string(text_) + "' (at '" + std::string(rest_) + "')");
  }

 private:
  std::string_view text_, rest_;
};

template <class Window>
void read_rare(Reader& in, Window& w) {
  w.dilation = in.pair('d', 1);
  w.more_padding = in.signed_pair('e', 0);
}

Layer read_layer(Reader& in) {
  if (in.take('c')) {
    Conv2d conv;
    conv.out_channels = in.number();
    conv.kernel = in.pair('k', 1);
    conv.stride = in.pair('s', 1);
    conv.padding = in.signed_pair('p', 0);
    if (in.take('g')) conv.groups = in.number();
    read_rare(in, conv);
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
    pool.padding = in.signed_pair('p', 0);
    pool.ceil = in.take('u');
    read_rare(in, pool);
    return pool;
  }
  if (in.take('z')) {
    Resize2d resize{.interpolation = in.take('l') ? Interpolation::linear : Interpolation::nearest};
    resize.size[0] = in.number();
    in.expect('x');
    resize.size[1] = in.number();
    return resize;
  }
  const bool phase_first = in.take('q');
  if (phase_first || in.take('Q')) {
    DepthToSpace pixels{.phase_first = phase_first};
    pixels.block[0] = in.number();
    in.expect('x');
    pixels.block[1] = in.number();
    pixels.crop = in.pair('p', 0);
    pixels.crop_end = in.pair('e', 0);
    return pixels;
  }
  if (in.take('y')) {
    const int width = in.number();
    return PixelRow{.begin = in.pair('p', 0)[0], .width = width};
  }
  if (in.take('x')) {
    const int size = in.number();
    return Softmax{size, in.take('x') ? in.number() : 1};
  }
  const bool per_pixel = in.take('v');
  if (per_pixel || in.take('V')) return Normalize{.groups = in.number(), .per_pixel = per_pixel};
  return Activate{in.activation()};
}

void read_terms(Reader& in, Operator& op) {
  const int channels = op.input.c;
  std::vector<Term>& terms = op.terms;
  if (!in.take('(')) {
    terms = {{Value{-1, 0, channels}}};
    return;
  }
  if (in.take('x')) op.combine = Combine::product;
  int sum = 0, widest = 0;
  do {
    const int width = in.number();
    if (op.is_product()) {
      op.factors.push_back({width, op.input.h, op.input.w});
      Shape& factor = op.factors.back();
      if (in.take('h')) factor.h = 1;
      if (in.take('w')) factor.w = 1;
    }
    const int values = in.take('*') ? in.number() : 1;
    if (in.take('/') && in.number() > values) in.fail();
    if (width < 1 || values < 1 || values > 1'000'000) in.fail();
    terms.emplace_back(values, Value{-1, 0, width});
    sum += width;
    widest = std::max(widest, width);
  } while (in.take('+'));
  in.expect(')');
  if ((op.is_product() ? widest : sum) != channels) in.fail();
}

}  // namespace

std::string operator_signature(const Graph& graph, OpId id) {
  return operator_signature(graph, id, graph.op(id).layers);
}

std::string operator_signature(const Graph& graph, OpId id, const std::vector<Layer>& layers) {
  const Operator& op = graph.op(id);
  std::string text = std::to_string(op.input.c) + "x" + std::to_string(op.input.h) + "x" + std::to_string(op.input.w);
  if (op.is_unit()) add_terms(text, graph, op);
  for (const Layer& layer : layers) add_layer(text, layer);
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
  read_terms(in, op);
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
