#include "core/graph/onnx/onnx_units.hpp"

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "core/graph/blocks.hpp"

namespace opsched {

Conv2d* OnnxUnit::open_conv() {
  auto* conv = layers.empty() ? nullptr : std::get_if<Conv2d>(&layers.back());
  return conv && conv->act == Activation::none ? conv : nullptr;
}

std::string OnnxUnits::free_name(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (!name.empty() && names_.insert(name).second) return name;
  for (int i = size();; ++i)
    if (std::string name = names.back() + "_" + std::to_string(i); names_.insert(name).second) return name;
}

int OnnxUnits::add_input(const std::vector<std::string>& names, Shape shape) {
  check_shape(shape);
  units_.push_back({.name = free_name(names), .terms = {}, .layers = {}, .weights = {}, .output = shape});
  return size() - 1;
}

int OnnxUnits::add(const std::vector<std::string>& names, std::vector<std::vector<int>> terms) {
  const Shape like = units_[terms.at(0).at(0)].output;
  Shape shape{0, like.h, like.w};
  for (const auto& term : terms) {
    for (int unit : term) {
      const Shape& one = units_[unit].output;
      if (one.h != like.h || one.w != like.w || one.c != units_[term.front()].output.c)
        throw Error("its inputs " + to_string(like) + " and " + to_string(one) + " do not fit together");
    }
    shape.c += units_[term.front()].output.c;
    check_shape(shape);
  }
  units_.push_back({.name = free_name(names), .terms = std::move(terms), .layers = {}, .weights = {}, .output = shape});
  return size() - 1;
}

void OnnxUnits::append(int unit, const Layer& layer) {
  units_[unit].output = infer_shape(layer, units_[unit].output);
  units_[unit].layers.push_back(layer);
}

void OnnxUnits::append(int unit, const Conv2d& layer, ConvWeights weights) {
  append(unit, Layer(layer));
  units_[unit].weights[static_cast<int>(units_[unit].layers.size()) - 1] = std::move(weights);
}

Graph OnnxUnits::finish(const std::string& name, int batch, const std::vector<std::pair<std::string, int>>& outputs) {
  std::vector<char> needed(units_.size(), 0), read(units_.size(), 0);
  for (const auto& [output, unit] : outputs) needed[unit] = 1;
  for (int u = size() - 1; u >= 0; --u) {
    if (!needed[u]) continue;
    for (const auto& term : units_[u].terms)
      for (int from : term) needed[from] = read[from] = 1;
  }
  // The outputs of a Graph are the operators that nobody reads, in their order. Where the model's are
  // not, each gets an operator of its own.
  bool as_they_are = true;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const int unit = outputs[i].second;
    if (read[unit] || units_[unit].terms.empty() || (i > 0 && outputs[i - 1].second >= unit)) as_they_are = false;
  }
  if (!as_they_are)
    for (const auto& [output, unit] : outputs) add({output, output + "_output"}, {{unit}});
  needed.resize(units_.size(), 1);

  Graph graph(name, batch);
  auto table = std::make_shared<WeightTable>();
  std::vector<OpId> ids(units_.size(), -1);
  for (int u = 0; u < size(); ++u) {
    OnnxUnit& unit = units_[u];
    if (!needed[u] && !unit.terms.empty()) continue;
    if (unit.terms.empty()) {
      ids[u] = graph.add_input(unit.name, unit.output);
      continue;
    }
    std::vector<Term> terms;
    for (const auto& from : unit.terms) {
      Term& term = terms.emplace_back();
      for (int f : from) term.push_back(graph.all(ids[f]).front());
    }
    ids[u] = graph.add(unit.name, std::move(terms), unit.layers);
    for (auto& [layer, weights] : unit.weights) (*table)[{ids[u], layer}] = std::move(weights);
  }
  if (std::vector<Block> blocks = natural_blocks(graph); !blocks.empty()) graph.set_blocks(std::move(blocks));
  graph.set_weights(std::move(table));
  return graph;
}

}  // namespace opsched
