// Graph::with_splits: operators become strips.
#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/graph/strips.hpp"

namespace opsched {

/// What an operator of the unsplit graph becomes in the split one.
struct Graph::Became {
  OpId holder = -1;  ///< the operator that others read as its output
  std::vector<OpId> strips;
  OpId last = -1;  ///< the operator itself, or the one that joins its strips
  std::vector<OpId> units() const {
    std::vector<OpId> units = strips;
    if (last >= 0) units.push_back(last);
    return units;
  }
};

/// Splits an operator whose inputs already refer to this graph.
Graph::Became Graph::insert_split(const Operator& op, const Split& split, bool is_output) {
  const bool images = split.along == Along::images, pooled = !images && ends_in_global_pool(op);
  const bool summed = pooled && std::get<Pool2d>(op.layers.back()).type != PoolType::max;
  const int strips = static_cast<int>(split.begins.size()) + 1, all = extent(op, batch_, split.along);
  if (strips < 2) throw Error("it needs two strips at least");
  Became became;
  OpId stack = -1;
  if (!summed) {
    Shape shape = op.output;
    if (pooled) shape.h = strips;
    stack = size();
    const std::string name = op.name + (pooled || is_output ? "/strips" : "");
    became.holder = insert({.name = name, .terms = {}, .layers = {}, .input = shape, .output = shape, .stack = stack});
  }
  Term sum;
  for (int i = 0; i < strips; ++i) {
    const Range range = range_of(split, i, all);
    if (range.empty() || range.begin < 0 || range.end > all)
      throw Error("its strips must begin at ascending " + to_string(split.along) + " between 1 and " +
                  std::to_string(all - 1));
    Operator strip = op;
    strip.name += "/" + std::to_string(i);
    strip.factors.clear();
    strip.stack = stack;
    if (images) {
      strip.writes = {range, {0, op.output.h}};
      strip.reads = {range, {0, op.input.h}};
    } else {
      auto [reads, layers] = strip_of(op, range);
      strip.layers = std::move(layers);
      strip.writes = {{0, batch_}, pooled ? Range{i, i + 1} : range};
      strip.reads = {{0, batch_}, reads};
    }
    became.strips.push_back(add(std::move(strip)));
    sum.push_back(this->all(became.strips.back()).front());
  }
  if (summed)
    became.last = add(op.name, {sum}, {});
  else if (pooled)
    became.last = add(op.name, {this->all(stack)}, {pool_of_strips(strips)});
  else if (is_output)
    became.last = add(op.name, {this->all(stack)}, {});
  if (became.last >= 0) became.holder = became.last;
  return became;
}

Graph Graph::with_splits(std::vector<Split> splits) const {
  const auto fail = [&](const std::string& what) -> Error { return Error("graph '" + name_ + "': " + what); };
  if (unsplit_) throw fail("it is split already");
  if (splits.empty()) return *this;
  Graph graph(name_, batch_);
  std::vector<Became> became(ops_.size());
  auto split = splits.begin();
  for (OpId id = 0; id < size(); ++id) {
    Operator op = ops_[id];
    for (Term& term : op.terms)
      for (Value& value : term) value.op = became[value.op].holder;
    if (split != splits.end() && split->op == id) {
      const std::string what = "operator '" + op.name + "' cannot be split into ", along = to_string(split->along);
      if (const std::string why = why_whole(*this, id, split->along); !why.empty())
        throw fail(what + along + ": it " + why);
      try {
        became[id] = graph.insert_split(op, *split, succs(id).empty());
      } catch (const Error& e) {
        throw fail(what + "such " + along + ": " + e.what());
      }
      ++split;
    } else {
      const OpId same = graph.insert(std::move(op));
      became[id] = {same, {}, same};
    }
    graph.origin_.resize(graph.ops_.size(), id);
    graph.strip_.resize(graph.ops_.size(), -1);
    for (std::size_t i = 0; i < became[id].strips.size(); ++i) graph.strip_[became[id].strips[i]] = static_cast<int>(i);
  }
  if (split != splits.end())
    throw fail(split->op < 0 || split->op >= size() ? "there is no operator " + std::to_string(split->op) + " to split"
                                                    : "its splits must be in ascending order, each operator once");
  const auto units_of = [&](const std::vector<OpId>& ops) {
    std::vector<OpId> units;
    for (OpId op : ops) std::ranges::copy(became[op].units(), std::back_inserter(units));
    return units;
  };
  std::vector<Block> blocks;
  for (const Block& block : blocks_) {
    blocks.push_back({block.name, units_of(block.ops), {}});
    for (const auto& part : block.parts) blocks.back().parts.push_back(units_of(part));
  }
  graph.blocks_ = std::move(blocks);
  graph.block_begin_ = graph.size();
  graph.output_names_ = output_names_;
  graph.splits_ = std::move(splits);
  graph.unsplit_ = std::make_shared<const Graph>(*this);
  return graph;
}

}  // namespace opsched
