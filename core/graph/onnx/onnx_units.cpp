#include "core/graph/onnx/onnx_units.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/graph/blocks.hpp"
#include "core/utf8.hpp"

namespace opsched {
namespace {

/// Index of the unit if these terms are exactly its whole output; otherwise -1.
int whole_unit(const std::vector<Term>& terms, const std::vector<OnnxUnit>& units) {
  if (terms.size() != 1 || terms[0].size() != 1) return -1;
  const Value& value = terms[0][0];
  return value.begin == 0 && value.end == units[value.op].output.c ? value.op : -1;
}

}  // namespace

int OnnxUnit::open_conv() const {
  int last = static_cast<int>(layers.size()) - 1;
  if (last > 0 && std::holds_alternative<DepthToSpace>(layers[last])) --last;
  const auto* conv = last < 0 ? nullptr : std::get_if<Conv2d>(&layers[last]);
  return conv && conv->act == Activation::none ? last : -1;
}

std::string OnnxUnits::free_name(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (!name.empty() && names_.insert(valid_utf8(name)).second) return valid_utf8(name);
  for (int i = size();; ++i)
    if (std::string name = valid_utf8(names.back()) + "_" + std::to_string(i); names_.insert(name).second) return name;
}

int OnnxUnits::add_input(const std::vector<std::string>& names, Shape shape) {
  check_shape(shape);
  units_.push_back({.name = free_name(names), .terms = {}, .layers = {}, .weights = {}, .output = shape});
  return size() - 1;
}

int OnnxUnits::add(const std::vector<std::string>& names, std::vector<Term> terms) {
  const Shape like = units_[terms.at(0).at(0).op].output;
  Shape shape{0, like.h, like.w};
  for (const Term& term : terms) {
    const int channels = term.front().channels();
    for (const Value& value : term) {
      const Shape one{value.channels(), units_[value.op].output.h, units_[value.op].output.w};
      if (one != Shape{channels, like.h, like.w})
        throw Error("its inputs " + to_string(Shape{channels, like.h, like.w}) + " and " + to_string(one) +
                    " have incompatible shapes");
    }
    shape.c += channels;
    check_shape(shape);
  }
  units_.push_back({.name = free_name(names), .terms = std::move(terms), .layers = {}, .weights = {}, .output = shape});
  return size() - 1;
}

int OnnxUnits::add_product(const std::vector<std::string>& names, std::vector<Term> terms) {
  Shape shape{1, 1, 1};
  for (const Term& term : terms) {
    const Shape& from = units_[term.front().op].output;
    const Shape one{term.front().channels(), from.h, from.w};
    for (int Shape::*axis : {&Shape::c, &Shape::h, &Shape::w}) {
      if (one.*axis != 1 && shape.*axis != 1 && one.*axis != shape.*axis)
        throw Error("its inputs have incompatible shapes");
      shape.*axis = std::max(shape.*axis, one.*axis);
    }
  }
  units_.push_back({.name = free_name(names),
                    .terms = std::move(terms),
                    .layers = {},
                    .weights = {},
                    .output = shape,
                    .combine = Combine::product});
  return size() - 1;
}

void OnnxUnits::append_padding(int unit, std::array<int, 2> before, std::array<int, 2> more,
                               std::array<int, 2> stride) {
  const int channels = units_[unit].output.c;
  append(
      unit,
      Conv2d{.out_channels = channels, .stride = stride, .padding = before, .groups = channels, .more_padding = more},
      std::make_shared<const ConvWeights>(
          ConvWeights{std::vector<float>(channels, 1.0f), std::vector<float>(channels, 0.0f)}));
  units_[unit].is_padding = true;
}

void OnnxUnits::append(int unit, const Layer& layer) {
  units_[unit].output = infer_shape(layer, units_[unit].output);
  units_[unit].layers.push_back(layer);
}

void OnnxUnits::append(int unit, const Conv2d& layer, std::shared_ptr<const ConvWeights> weights) {
  append(unit, Layer(layer));
  units_[unit].weights[static_cast<int>(units_[unit].layers.size()) - 1] = std::move(weights);
}

void OnnxUnits::append_affine(int unit, std::vector<float> factor, std::vector<float> bias) {
  const int channels = units_[unit].output.c;
  append(unit, Conv2d{.out_channels = channels, .groups = channels},
         std::make_shared<const ConvWeights>(ConvWeights{std::move(factor), std::move(bias)}));
  units_[unit].is_affine = true;
}

/// Fuses a scale and shift into the convolution that a unit ends in; a unit that ends in a normalisation gets them as a
/// layer of its own.
bool OnnxUnits::fuse_affine(OnnxUnit& into, const OnnxUnit& affine) {
  const ConvWeights& by = *affine.weights.at(0);
  const int open = into.open_conv();
  if (open < 0) {
    if (into.layers.empty() || !std::holds_alternative<Normalize>(into.layers.back())) return false;
    into.weights[static_cast<int>(into.layers.size())] = affine.weights.at(0);
    into.layers.push_back(affine.layers.front());
    return true;
  }
  if (into.is_padding) return false;
  const auto* pixels = std::get_if<DepthToSpace>(&into.layers.back());
  const std::size_t phases = pixels ? std::size_t(pixels->block[0]) * pixels->block[1] : 1;
  const auto channel = [&](std::size_t c) {
    return !pixels ? c : pixels->phase_first ? c % by.bias.size() : c / phases;
  };
  std::shared_ptr<const ConvWeights>& weights = into.weights.at(open);
  ConvWeights scaled = *weights;
  const std::size_t each = scaled.weight.size() / scaled.bias.size();
  for (std::size_t i = 0; i < scaled.weight.size(); ++i) scaled.weight[i] *= by.weight[channel(i / each)];
  for (std::size_t c = 0; c < scaled.bias.size(); ++c)
    scaled.bias[c] = scaled.bias[c] * by.weight[channel(c)] + by.bias[channel(c)];
  weights = std::make_shared<const ConvWeights>(std::move(scaled));
  return true;
}

/// If possible, fuses `unit`'s layer into its producer, which has no other reader.
bool OnnxUnits::fuse_into(int producer, OnnxUnit& unit) {
  OnnxUnit& into = units_[producer];
  if (into.is_input() || unit.layers.size() != 1 || unit.is_product()) return false;
  if (unit.is_affine && fuse_affine(into, unit)) return true;
  const auto* activate = std::get_if<Activate>(&unit.layers.front());
  if (!activate) return false;
  if (const int open = into.open_conv(); open >= 0)
    std::get<Conv2d>(into.layers[open]).act = activate->act;
  else if (into.layers.empty() || std::holds_alternative<Normalize>(into.layers.back()))
    into.layers.push_back(*activate);
  else
    return false;
  return true;
}

/// Fuses a normalisation's factors and biases into its only reader, a convolution without padding.
void OnnxUnits::fold_affine(OnnxUnit& from, OnnxUnit& unit) {
  auto* conv = unit.layers.empty() || unit.is_product() ? nullptr : std::get_if<Conv2d>(&unit.layers.front());
  const std::size_t last = from.layers.size() - 1;
  if (!conv || from.layers.size() < 2 || !std::holds_alternative<Normalize>(from.layers[last - 1])) return;
  const auto* affine = std::get_if<Conv2d>(&from.layers[last]);
  for (int d : {0, 1})
    if (conv->padding[d] > 0 || conv->padding[d] + conv->more_padding[d] > 0) return;
  if (!affine || affine->act != Activation::none) return;
  const ConvWeights& by = *from.weights.at(static_cast<int>(last));
  ConvWeights own = *unit.weights.at(0);
  const std::size_t taps = std::size_t(conv->kernel[0]) * conv->kernel[1], outs = own.bias.size(),
                    ins = by.bias.size() / conv->groups, group_outs = outs / conv->groups;
  for (std::size_t o = 0; o < outs; ++o) {
    double bias = own.bias[o];
    for (std::size_t i = 0; i < ins; ++i)
      for (std::size_t t = 0; t < taps; ++t) {
        const std::size_t c = o / group_outs * ins + i;
        float& weight = own.weight[(o * ins + i) * taps + t];
        bias += double(weight) * by.bias[c];
        weight *= by.weight[c];
      }
    own.bias[o] = static_cast<float>(bias);
  }
  unit.weights[0] = std::make_shared<const ConvWeights>(std::move(own));
  from.layers.pop_back();
  from.weights.erase(static_cast<int>(last));
}

/// Are two consecutive windows equivalent to one with the sum of their paddings? Not if the second would pad what the
/// first has cropped.
bool paddings_add_up(int first, int second) { return first >= 0 || second <= 0; }

/// Lets a window do what a unit in front of it would only pad, crop or skip.
void OnnxUnits::fuse_padding(OnnxUnit& unit) {
  const int producer = whole_unit(unit.terms, units_);
  if (unit.layers.empty() || unit.is_product() || producer < 0 || !units_[producer].is_padding) return;
  const Conv2d around = std::get<Conv2d>(units_[producer].layers.front());
  const std::array<int, 2> after{around.padding[0] + around.more_padding[0],
                                 around.padding[1] + around.more_padding[1]};
  const auto add_up = [&](auto& window) {
    for (int d : {0, 1}) {
      const int end = window.padding[d] + window.more_padding[d];
      if (!paddings_add_up(around.padding[d], window.padding[d]) || !paddings_add_up(after[d], end)) return false;
    }
    for (int d : {0, 1}) {
      window.padding[d] += around.padding[d];
      window.more_padding[d] += around.more_padding[d];
    }
    return true;
  };
  bool fused = false;
  constexpr std::array<int, 2> one{1, 1}, none{0, 0};
  if (auto* conv = std::get_if<Conv2d>(&unit.layers.front())) {
    if (around.stride == one) {
      fused = add_up(*conv);
    } else if (conv->kernel == one && conv->padding == none && conv->more_padding == none) {
      for (int d : {0, 1}) {
        const Shape &in = units_[producer].output, &from = units_[units_[producer].terms[0][0].op].output;
        const int picked = ((d == 0 ? in.h : in.w) - 1) / conv->stride[d], size = d == 0 ? from.h : from.w;
        conv->stride[d] *= around.stride[d];
        conv->padding[d] = around.padding[d];
        conv->more_padding[d] = picked * conv->stride[d] + 1 - size - 2 * around.padding[d];
      }
      fused = true;
    }
  } else if (auto* pool = std::get_if<Pool2d>(&unit.layers.front())) {
    const bool cuts_only = std::max({around.padding[0], around.padding[1], after[0], after[1]}) <= 0;
    fused = around.stride == one && cuts_only && !pool->ceil && pool->type != PoolType::global_avg && add_up(*pool);
  }
  if (!fused) return;
  unit.terms = units_[producer].terms;
  unit.is_affine = false;  // the input image has another size
}

/// If a factor was repeated to the size of a product's image, lets the product repeat it.
void OnnxUnits::fuse_repeats(OnnxUnit& unit) {
  if (!unit.is_product()) return;
  for (Term& term : unit.terms) {
    const int producer = whole_unit({term}, units_);
    if (producer < 0 || units_[producer].layers.size() != 1 || units_[producer].is_product()) continue;
    const OnnxUnit& repeats = units_[producer];
    const auto* resize = std::get_if<Resize2d>(&repeats.layers.front());
    if (!resize || repeats.terms.size() != 1) continue;
    const Shape& from = units_[repeats.terms[0][0].op].output;
    const bool other_is_whole = std::ranges::any_of(unit.terms, [&](const Term& other) {
      const Shape& shape = units_[other[0].op].output;
      return &other != &term && shape.h == unit.output.h && shape.w == unit.output.w;
    });
    if (from.h == 1 && from.w == 1 && other_is_whole) term = repeats.terms[0];
  }
}

/// Turns x sigmoid(x) and x hard_sigmoid(x) into activations of x.
void OnnxUnits::fuse_gate(OnnxUnit& unit) {
  if (!unit.is_product() || !unit.layers.empty() || unit.terms.size() != 2) return;
  for (const int g : {0, 1}) {
    const int gate = whole_unit({unit.terms[g]}, units_);
    if (gate < 0 || units_[gate].layers.size() != 1 || units_[gate].is_product()) continue;
    const auto* activate = std::get_if<Activate>(&units_[gate].layers.front());
    if (!activate || units_[gate].terms != std::vector<Term>{unit.terms[1 - g]}) continue;
    const Activation& act = activate->act;
    const bool hard = act == Activation::hard_sigmoid && act.a == 1.0f / 6 && act.b == 0.5f;
    if (!hard && act != Activation::sigmoid) continue;
    unit.terms = {unit.terms[1 - g]};
    unit.combine = Combine::concat;
    unit.layers = {Activate{hard ? Activation::hard_swish : Activation::silu}};
    return;
  }
}

/// Readers are counted after all units are known, so that no alias of a value hides a reader.
std::vector<OnnxOutput> OnnxUnits::fuse(std::vector<OnnxOutput> outputs) {
  std::vector<int> readers(units_.size(), 0), instead(units_.size());
  const auto count = [&](const std::vector<Term>& terms) {
    for (const Term& term : terms)
      for (const Value& value : term) ++readers[value.op];
  };
  for (int u = 0; u < size(); ++u)
    if (needed_[u]) count(units_[u].terms);
  for (const OnnxOutput& output : outputs) count(output.terms);
  for (int u = 0; u < size(); ++u) {
    instead[u] = u;
    if (!needed_[u]) continue;
    for (Term& term : units_[u].terms)
      for (Value& value : term) value.op = instead[value.op];
    const int producer = whole_unit(units_[u].terms, units_);
    if (producer < 0 || readers[producer] != 1) continue;
    if (!fuse_into(producer, units_[u])) {
      fold_affine(units_[producer], units_[u]);
      continue;
    }
    readers[producer] = readers[u];
    instead[u] = producer;
    needed_[u] = 0;
  }
  for (OnnxOutput& output : outputs)
    for (Term& term : output.terms)
      for (Value& value : term) value.op = instead[value.op];
  return outputs;
}

/// A unit that scales and shifts channels and is read only by pointwise convolutions becomes the first layer of each:
/// they apply it as they read, without a separate pass over the image.
void OnnxUnits::fuse_into_readers() {
  std::vector<std::vector<int>> readers(units_.size());
  for (int u = 0; u < size(); ++u)
    if (needed_[u])
      for (const Term& term : units_[u].terms)
        for (const Value& value : term) readers[value.op].push_back(u);
  for (int u = 0; u < size(); ++u) {
    const OnnxUnit& affine = units_[u];
    const bool fits = needed_[u] && affine.layers.size() == 1 && !affine.is_product() && !readers[u].empty() &&
                      is_affine(affine.layers.front(), affine.output) && std::ranges::all_of(readers[u], [&](int r) {
                        const OnnxUnit& reader = units_[r];
                        return whole_unit(reader.terms, units_) == u && !reader.is_product() &&
                               !reader.layers.empty() && is_pointwise(reader.layers.front());
                      });
    if (!fits) continue;
    for (int r : readers[u]) {
      OnnxUnit& reader = units_[r];
      reader.terms = affine.terms;
      reader.layers.insert(reader.layers.begin(), affine.layers.front());
      std::map<int, std::shared_ptr<const ConvWeights>> weights{{0, affine.weights.at(0)}};
      for (auto& [layer, own] : reader.weights) weights[layer + 1] = std::move(own);
      reader.weights = std::move(weights);
    }
    needed_[u] = 0;
  }
}

/// A Graph's outputs are the operators without readers, in order. If the model's outputs differ, each gets an
/// additional operator.
void OnnxUnits::add_outputs(const std::vector<OnnxOutput>& outputs) {
  std::vector<char> read(units_.size(), 0);
  for (int u = 0; u < size(); ++u)
    if (needed_[u])
      for (const Term& term : units_[u].terms)
        for (const Value& value : term) read[value.op] = 1;
  int last = -1;
  const bool as_they_are = std::ranges::all_of(outputs, [&](const OnnxOutput& output) {
    const int unit = whole_unit(output.terms, units_);
    const bool fits = unit > last && !read[unit] && !units_[unit].is_input();
    last = unit;
    return fits;
  });
  if (as_they_are) return;
  for (const OnnxOutput& output : outputs) add({output.name, output.name + "_output"}, output.terms);
  needed_.resize(units_.size(), 1);
}

Graph OnnxUnits::finish(const std::string& name, int batch, const std::vector<OnnxOutput>& outputs) {
  const auto need = [&](const std::vector<Term>& terms) {
    for (const Term& term : terms)
      for (const Value& value : term) needed_[value.op] = 1;
  };
  for (OnnxUnit& unit : units_) fuse_gate(unit), fuse_padding(unit), fuse_repeats(unit);
  needed_.assign(units_.size(), 0);
  for (const OnnxOutput& output : outputs) need(output.terms);
  for (int u = size() - 1; u >= 0; --u)
    if (needed_[u]) need(units_[u].terms);
  add_outputs(fuse(outputs));
  fuse_into_readers();

  Graph graph(valid_utf8(name), batch);
  auto table = std::make_shared<WeightTable>();
  std::vector<OpId> ids(units_.size(), -1);
  for (int u = 0; u < size(); ++u) {
    OnnxUnit& unit = units_[u];
    if (unit.is_input()) {
      ids[u] = graph.add_input(unit.name, unit.output);
      continue;
    }
    if (!needed_[u]) continue;
    for (Term& term : unit.terms)
      for (Value& value : term) value.op = ids[value.op];
    ids[u] = graph.add(unit.name, std::move(unit.terms), unit.layers, unit.combine);
    for (auto& [layer, weights] : unit.weights) (*table)[{ids[u], layer}] = std::move(weights);
  }
  if (std::vector<Block> blocks = natural_blocks(graph); !blocks.empty()) graph.set_blocks(std::move(blocks));
  graph.set_weights(std::move(table));
  return graph;
}

}  // namespace opsched
