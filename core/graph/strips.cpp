#include "core/graph/strips.hpp"

#include <algorithm>
#include <variant>

#include "core/error.hpp"

namespace opsched {
namespace {

std::string text(const Rows& rows) { return "[" + std::to_string(rows.begin) + ", " + std::to_string(rows.end) + ")"; }

/// Why no row of a layer's output can be had from some rows of its input; empty: it can.
std::string reads_all_rows(const Layer& layer) {
  if (const auto* pool = std::get_if<Pool2d>(&layer))
    return pool->type == PoolType::global_avg ? "averages the whole image" : "";
  if (std::holds_alternative<Resize2d>(layer)) return "resizes the image";
  if (std::holds_alternative<DepthToSpace>(layer)) return "turns channels into pixels";
  if (std::holds_alternative<PixelRow>(layer)) return "puts all pixels into one row";
  const auto* normalize = std::get_if<Normalize>(&layer);
  return normalize && !normalize->per_pixel ? "normalises over the whole image" : "";
}

/// Rows of an input of this height that a window reads for these rows of its output; the window gets the padding
/// that is left.
template <class Window>
Rows through(Window& window, int height, const Rows& out) {
  const Rows all{
      out.begin * window.stride[0] - window.padding[0],
      (out.end - 1) * window.stride[0] - window.padding[0] + window.dilation[0] * (window.kernel[0] - 1) + 1};
  const Rows rows = common(all, {0, height});
  if (rows.empty()) throw Error("rows " + text(out) + " depend on padding alone");
  window.padding[0] = rows.begin - all.begin;
  window.more_padding[0] = all.end - rows.end - window.padding[0];
  return rows;
}

}  // namespace

Strip strip_of(const Operator& op, Rows rows) {
  std::vector<int> heights;  // before each layer
  Shape shape = op.input;
  for (const Layer& layer : op.layers) {
    heights.push_back(shape.h);
    shape = infer_shape(layer, shape);
  }
  Strip strip{rows, op.layers};
  for (std::size_t i = op.layers.size(); i-- > 0;) {
    Layer& layer = strip.layers[i];
    if (const std::string why = reads_all_rows(layer); !why.empty()) throw Error(why);
    if (auto* conv = std::get_if<Conv2d>(&layer)) strip.reads = through(*conv, heights[i], strip.reads);
    if (auto* pool = std::get_if<Pool2d>(&layer)) strip.reads = through(*pool, heights[i], strip.reads);
  }
  return strip;
}

std::string why_whole(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  if (!op.is_unit()) return "is no operator that computes";
  if (op.is_strip()) return "is a strip";
  if (graph.succs(id).empty()) return "is an output of the graph";
  if (op.output.h < 2) return "has one row";
  for (const Layer& layer : op.layers)
    if (const std::string why = reads_all_rows(layer); !why.empty()) return why;
  return "";
}

Split even_split(const Graph& graph, OpId id, int strips, int multiple) {
  const int rows = graph.op(id).output.h;
  if (rows / multiple < strips) multiple = 1;
  strips = std::min(strips, rows);
  Split split{.op = id, .rows = {}};
  const int units = rows / multiple;
  for (int i = 1; i < strips; ++i) split.rows.push_back(static_cast<int>(std::int64_t{units} * i / strips) * multiple);
  return split;
}

/// The stack and the strips of an operator whose values are this graph's: the stack first.
std::vector<OpId> Graph::insert_split(const Operator& op, const std::vector<int>& cuts) {
  const int height = op.output.h;
  const OpId stack = size();
  if (cuts.empty()) throw Error("it needs two strips at least");
  std::vector<OpId> ids{
      insert({.name = op.name, .terms = {}, .layers = {}, .input = op.output, .output = op.output, .stack = stack})};
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const Rows rows{i == 0 ? 0 : cuts[i - 1], i == cuts.size() ? height : cuts[i]};
    if (rows.empty() || rows.begin < 0 || rows.end > height)
      throw Error("its strips must begin at ascending rows between 1 and " + std::to_string(height - 1));
    Operator strip = op;
    auto [reads, layers] = strip_of(op, rows);
    strip.name += "/" + std::to_string(i);
    strip.layers = std::move(layers);
    strip.factors.clear();
    strip.stack = stack;
    strip.rows = rows;
    strip.reads = reads;
    ids.push_back(add(std::move(strip)));
  }
  return ids;
}

Graph Graph::with_splits(std::vector<Split> splits) const {
  const auto fail = [&](const std::string& what) -> Error { return Error("graph '" + name_ + "': " + what); };
  if (unsplit_) throw fail("it is split already");
  if (splits.empty()) return *this;
  Graph graph(name_, batch_);
  std::vector<std::vector<OpId>> became(ops_.size());  // what holds an operator's output, and its strips
  auto split = splits.begin();
  for (OpId id = 0; id < size(); ++id) {
    Operator op = ops_[id];
    for (Term& term : op.terms)
      for (Value& value : term) value.op = became[value.op].front();
    if (split != splits.end() && split->op == id) {
      const std::string name = "operator '" + op.name + "'";
      if (const std::string why = why_whole(*this, id); !why.empty())
        throw fail(name + " cannot be split into rows: it " + why);
      try {
        became[id] = graph.insert_split(op, split->rows);
      } catch (const Error& e) {
        throw fail(name + " cannot be split into such rows: " + e.what());
      }
      ++split;
    } else {
      became[id] = {graph.insert(std::move(op))};
    }
    graph.origin_.resize(graph.ops_.size(), id);
  }
  if (split != splits.end())
    throw fail(split->op < 0 || split->op >= size() ? "there is no operator " + std::to_string(split->op) + " to split"
                                                    : "its splits must be in ascending order, each operator once");
  const auto units_of = [&](const std::vector<OpId>& ops) {
    std::vector<OpId> units;
    for (OpId op : ops) units.insert(units.end(), became[op].begin() + (became[op].size() > 1), became[op].end());
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
