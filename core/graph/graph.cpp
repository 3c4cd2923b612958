#include "core/graph/graph.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.hpp"

namespace opsched {
namespace {

std::string in_quotes(const std::string& name) { return "operator '" + name + "'"; }

}  // namespace

Graph::Graph(std::string name, int batch) : name_(std::move(name)), batch_(batch) {
  if (batch < 1 || batch > max_batch)
    throw Error("graph '" + name_ + "': the batch must be between 1 and " + std::to_string(max_batch) + ", not " +
                std::to_string(batch));
}

OpId Graph::insert(Operator op) {
  if (op.name.empty()) throw Error("graph '" + name_ + "': operator " + std::to_string(size()) + " has no name");
  const OpId id = size();
  if (!ids_.emplace(op.name, id).second) throw Error(in_quotes(op.name) + ": the name is used twice");
  std::vector<OpId> preds;
  for (const Term& term : op.terms)
    for (const Value& value : term) {
      const std::vector<OpId> from = producers(op, value);
      preds.insert(preds.end(), from.begin(), from.end());
    }
  std::ranges::sort(preds);
  preds.erase(std::unique(preds.begin(), preds.end()), preds.end());
  for (OpId p : preds) succs_[p].push_back(id);
  preds_.push_back(std::move(preds));
  succs_.emplace_back();
  strips_.emplace_back();
  if (op.is_strip()) strips_[op.stack].push_back(id);
  ops_.push_back(std::move(op));
  output_names_.clear();  // the set of outputs may have changed
  return id;
}

OpId Graph::add_input(const std::string& name, Shape shape) {
  try {
    check_shape(shape);
  } catch (const Error& e) {
    throw Error("input '" + name + "': " + e.what());
  }
  return insert({.name = name, .terms = {}, .layers = {}, .input = shape, .output = shape});
}

std::string to_string(Along along) { return along == Along::images ? "images" : "rows"; }

Region Graph::read(const Operator& reader, const Value& value) const {
  Region all = all_of(value.op);
  if (reader.reads.empty()) return all;
  if (reader.is_product() && all.rows.size() == 1) return {reader.reads.images, all.rows};
  return reader.reads;
}

std::vector<OpId> Graph::producers(const Operator& reader, const Value& value) const {
  if (!ops_[value.op].is_stack()) return {value.op};
  std::vector<OpId> strips;
  for (OpId strip : strips_[value.op])
    if (!common(ops_[strip].writes, read(reader, value)).empty()) strips.push_back(strip);
  return strips;
}

/// The shape of a sum, for the rows that are read. Throws Error if a value does not exist or the shapes differ.
Shape Graph::shape_of(const Operator& reader, const Term& term) const {
  if (term.empty()) throw Error("an empty term");
  const auto extent = [&](const Value& v) { return std::pair(ops_[v.op].output.h, ops_[v.op].output.w); };
  for (const Value& v : term) {
    if (v.op < 0 || v.op >= size()) throw Error("reads an operator that does not exist");
    const Operator& from = ops_[v.op];
    if (v.begin < 0 || v.end <= v.begin || v.end > from.output.c)
      throw Error("reads channels [" + std::to_string(v.begin) + ", " + std::to_string(v.end) + ") of '" + from.name +
                  "', which has " + std::to_string(from.output.c));
    if (v.channels() != term.front().channels())
      throw Error("adds values of different width (" + std::to_string(term.front().channels()) + " and " +
                  std::to_string(v.channels()) + " channels)");
    if (extent(v) != extent(term.front()))
      throw Error("'" + from.name + "' is " + std::to_string(from.output.h) + "x" + std::to_string(from.output.w) +
                  " where its other inputs are " + std::to_string(extent(term.front()).first) + "x" +
                  std::to_string(extent(term.front()).second));
  }
  const Range rows = read(reader, term.front()).rows;
  if (const auto [h, w] = extent(term.front()); rows.begin < 0 || rows.end > h)
    throw Error("reads rows [" + std::to_string(rows.begin) + ", " + std::to_string(rows.end) + ") of '" +
                ops_[term.front().op].name + "', which has " + std::to_string(h));
  return {term.front().channels(), rows.size(), extent(term.front()).second};
}

Shape Graph::combined_shape(const Operator& op) const {
  Shape all = shape_of(op, op.terms.front());
  for (const Term& term : std::span(op.terms).subspan(1)) {
    const Shape one = shape_of(op, term);
    if (op.is_product()) {
      for (int Shape::*axis : {&Shape::c, &Shape::h, &Shape::w}) {
        if (all.*axis != one.*axis && all.*axis != 1 && one.*axis != 1)
          throw Error("multiplies " + to_string(all) + " and " + to_string(one) + ", which do not fit together");
        all.*axis = std::max(all.*axis, one.*axis);
      }
      continue;
    }
    if (one.h != all.h || one.w != all.w)
      throw Error("'" + ops_[term.front().op].name + "' is " + std::to_string(one.h) + "x" + std::to_string(one.w) +
                  " where its other inputs are " + std::to_string(all.h) + "x" + std::to_string(all.w));
    if (all.c > max_axis) throw Error("joins more than " + std::to_string(max_axis) + " channels");
    all.c += one.c;
  }
  return all;
}

OpId Graph::add(const std::string& name, std::vector<Term> terms, std::vector<Layer> layers, Combine combine) {
  if (terms.empty()) throw Error(in_quotes(name) + ": reads nothing");
  return add({.name = name,
              .terms = std::move(terms),
              .layers = std::move(layers),
              .input = {},
              .output = {},
              .combine = combine});
}

OpId Graph::add(Operator op) {
  try {
    op.input = combined_shape(op);
    if (op.is_product())
      for (const Term& term : op.terms) op.factors.push_back(shape_of(op, term));
    check_shape(op.input);
    op.output = op.input;
    for (const Layer& layer : op.layers) op.output = infer_shape(layer, op.output);
    check_shape(op.output);
  } catch (const Error& e) {
    throw Error(in_quotes(op.name) + ": " + e.what());
  }
  return insert(std::move(op));
}

void Graph::check_block(const Block& block) const {
  const std::string where = "block '" + block.name + "': ";
  if (block.ops.empty()) throw Error(where + "no operators");
  for (OpId id : block.ops)
    if (id < 0 || id >= size() || !ops_[id].is_unit()) throw Error(where + "not an operator: " + std::to_string(id));
  if (block.parts.empty()) return;
  std::vector<OpId> in_parts;
  std::unordered_map<OpId, std::size_t> part_of;
  for (std::size_t p = 0; p < block.parts.size(); ++p) {
    if (block.parts[p].empty()) throw Error(where + "an empty part");
    for (OpId id : block.parts[p]) part_of[id] = p;
    in_parts.insert(in_parts.end(), block.parts[p].begin(), block.parts[p].end());
  }
  std::ranges::sort(in_parts);
  if (in_parts != block.ops) throw Error(where + "its parts are not a split of its operators");
  for (OpId id : block.ops)
    for (OpId p : preds_[id])
      if (part_of.contains(p) && part_of[p] > part_of[id])
        throw Error(where + in_quotes(ops_[id].name) + " reads '" + ops_[p].name + "' of a later part");
}

void Graph::end_block(const std::string& name, std::vector<std::vector<OpId>> parts) {
  Block block{.name = name, .ops = {}, .parts = std::move(parts)};
  for (OpId id = block_begin_; id < size(); ++id)
    if (ops_[id].is_unit()) block.ops.push_back(id);
  check_block(block);
  block_begin_ = size();
  blocks_.push_back(std::move(block));
}

void Graph::set_blocks(std::vector<Block> blocks) {
  std::vector<int> block_of(ops_.size(), -1);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    std::ranges::sort(blocks[b].ops);
    for (auto& part : blocks[b].parts) std::ranges::sort(part);
    check_block(blocks[b]);
    for (OpId id : blocks[b].ops) {
      if (block_of[id] >= 0) throw Error(in_quotes(ops_[id].name) + ": in two blocks, or twice in one");
      block_of[id] = static_cast<int>(b);
    }
  }
  for (OpId id : units()) {
    if (block_of[id] < 0) throw Error(in_quotes(ops_[id].name) + ": in no block");
    for (OpId p : preds_[id])
      if (block_of[p] > block_of[id])
        throw Error(in_quotes(ops_[id].name) + " reads '" + ops_[p].name + "' of a later block");
  }
  blocks_ = std::move(blocks);
  block_begin_ = size();
}

Graph Graph::with_batch(int batch) const {
  if (unsplit_) return unsplit_->with_batch(batch).with_splits(splits_);
  Graph graph = *this;
  graph.batch_ = Graph(name_, batch).batch_;  // the constructor checks the batch
  return graph;
}

namespace {

/// A resize keeps its factor, not its output size.
int resized(int size, double scale, int before, int after) {
  if (scale > 0) return static_cast<int>(after * scale);
  return static_cast<int>(std::int64_t{size} * after / before);
}

}  // namespace

Graph Graph::with_image(const ImageSize& image) const {
  if (unsplit_) throw Error("graph '" + name_ + "' is split into strips, which say nothing of another image size");
  Graph graph(name_, batch_);
  std::optional<Shape> first;
  for (const Operator& op : ops_) {
    if (op.is_input()) {
      if (!first) first = op.output;
      if (op.output.h != first->h || op.output.w != first->w)
        throw Error("graph '" + name_ + "': its inputs are of several sizes, so no one image size fits them all");
      graph.add_input(op.name, {op.output.c, image.height, image.width});
      continue;
    }
    std::vector<Layer> layers = op.layers;
    Shape before = op.input, after = graph.combined_shape(op);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (auto* resize = std::get_if<Resize2d>(&layers[i]))
        resize->size = {resized(resize->size[0], resize->scale[0], before.h, after.h),
                        resized(resize->size[1], resize->scale[1], before.w, after.w)};
      before = infer_shape(op.layers[i], before);
      if (i + 1 < layers.size()) after = infer_shape(layers[i], after);
    }
    graph.add(op.name, op.terms, std::move(layers), op.combine);
  }
  graph.set_blocks(blocks_);
  graph.set_relu_moves(relu_moves());
  graph.weights_ = weights_;
  graph.output_names_ = output_names_;
  return graph;
}

ReluMoves Graph::relu_moves() const {
  ReluMoves moves;
  for (const Operator& op : ops_) {
    moves.early.push_back(op.ends_early);
    moves.relieved.push_back(op.relieved);
  }
  return moves;
}

void Graph::set_relu_moves(const ReluMoves& moves) {
  if (moves.early.size() != ops_.size() || moves.relieved.size() != ops_.size())
    throw Error("graph '" + name_ + "': not as many operators with moved ReLUs as it has");
  for (OpId id = 0; id < size(); ++id) {
    const std::vector<Layer>& layers = ops_[id].layers;
    if (moves.early[id] && (layers.empty() || !ends_in_relu(layers.back())))
      throw Error(in_quotes(ops_[id].name) + ": does not end in a ReLU that was moved there");
    if (moves.relieved[id] && layers.empty()) throw Error(in_quotes(ops_[id].name) + ": has no layers behind a ReLU");
    ops_[id].ends_early = moves.early[id];
    ops_[id].relieved = moves.relieved[id];
  }
}

void Graph::set_weights(std::shared_ptr<const WeightTable> weights) {
  if (unsplit_)
    throw Error("graph '" + name_ + "' is split: its weights are those of the graph that it was split from");
  for (OpId id : weights ? units() : std::vector<OpId>{}) {
    Shape shape = ops_[id].input;
    for (std::size_t layer = 0; layer < ops_[id].layers.size(); ++layer) {
      if (const auto* conv = std::get_if<Conv2d>(&ops_[id].layers[layer])) {
        const auto found = weights->find({id, static_cast<int>(layer)});
        const auto size = static_cast<std::size_t>(layer_weights(*conv, shape) - conv->out_channels);
        if (found == weights->end() || found->second->weight.size() != size ||
            found->second->bias.size() != static_cast<std::size_t>(conv->out_channels))
          throw Error(in_quotes(ops_[id].name) + ": its weights are missing or of another size");
      }
      shape = infer_shape(ops_[id].layers[layer], shape);
    }
  }
  weights_ = std::move(weights);
}

const ConvWeights* Graph::weights(OpId id, int layer) const {
  if (unsplit_) return unsplit_->weights(origin(id), layer);
  if (!weights_) return nullptr;
  const auto found = weights_->find({id, layer});
  return found == weights_->end() ? nullptr : found->second.get();
}

OpId Graph::find(const std::string& name) const {
  const auto it = ids_.find(name);
  return it == ids_.end() ? -1 : it->second;
}

std::vector<OpId> Graph::units() const {
  std::vector<OpId> ids;
  for (OpId id = 0; id < size(); ++id)
    if (ops_[id].is_unit()) ids.push_back(id);
  return ids;
}

std::vector<OpId> Graph::inputs() const {
  std::vector<OpId> ids;
  for (OpId id = 0; id < size(); ++id)
    if (ops_[id].is_input()) ids.push_back(id);
  return ids;
}

std::vector<OpId> Graph::outputs() const {
  std::vector<OpId> ids;
  for (OpId id : units())  // an unread input is not an output; nor is a strip
    if (succs_[id].empty() && !ops_[id].is_strip()) ids.push_back(id);
  return ids;
}

std::vector<std::string> Graph::output_names() const {
  std::vector<std::string> names = output_names_;
  if (names.empty())
    for (OpId id : outputs()) names.push_back(ops_[id].name);
  return names;
}

void Graph::set_output_names(std::vector<std::string> names) {
  if (names.size() != outputs().size())
    throw Error("graph '" + name_ + "' has " + std::to_string(outputs().size()) + " outputs, not " +
                std::to_string(names.size()));
  output_names_ = std::move(names);
}

namespace {

/// Adds up f(layer, its input's shape) over an operator's layers.
template <class F>
std::int64_t over_layers(const Operator& op, F f) {
  std::int64_t sum = 0;
  Shape shape = op.input;
  for (const Layer& layer : op.layers) {
    sum += f(layer, shape);
    shape = infer_shape(layer, shape);
  }
  return sum;
}

}  // namespace

std::int64_t Graph::macs(OpId id) const { return over_layers(ops_[id], layer_macs); }

std::int64_t Graph::parameters(OpId id) const { return over_layers(ops_[id], layer_weights); }

std::int64_t Graph::macs() const {
  if (unsplit_) return unsplit_->macs();  // strips of rows overlap, and strips of images count one image each
  std::int64_t sum = 0;
  for (OpId id = 0; id < size(); ++id) sum += macs(id);
  return sum;
}

}  // namespace opsched
