// The graph: operators in topological order, split into blocks.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/graph/image_size.hpp"
#include "core/graph/operator.hpp"
#include "core/graph/weights.hpp"

namespace opsched {

/// A part of the graph that is scheduled on its own. `parts` splits a block that is too large for an
/// exact search; empty means one part. Graph inputs belong to no block.
struct Block {
  std::string name;
  std::vector<OpId> ops;                 ///< ascending
  std::vector<std::vector<OpId>> parts;  ///< disjoint, ascending, together `ops`; or empty
};

/// What the strips of an operator divide among them.
enum class Along { rows, images };
std::string to_string(Along along);

/// How an operator is split into strips.
struct Split {
  OpId op = -1;             ///< in the graph that is not split
  std::vector<int> begins;  ///< first row (of its input, for a global pool) or image of each strip but the first
  Along along = Along::rows;
  bool operator==(const Split&) const = default;
};

/// An acyclic graph of operators for a given batch. Operators are added after those they read, so
/// ids are a topological order.
class Graph {
 public:
  explicit Graph(std::string name, int batch = 1);

  /// Adds an input of the graph.
  OpId add_input(const std::string& name, Shape shape);
  /// Adds an operator and infers its shapes. Throws Error naming the operator where a term is empty,
  /// reads unknown channels, or shapes do not fit, or where the name is taken.
  OpId add(const std::string& name, std::vector<Term> terms, std::vector<Layer> layers,
           Combine combine = Combine::concat);
  /// All operators added since the last call (or since the start) become a block. `parts`: see Block.
  void end_block(const std::string& name, std::vector<std::vector<OpId>> parts = {});
  /// Sets the blocks at once (importers). Throws Error unless every unit is in exactly one block and
  /// none reads from a later block or part.
  void set_blocks(std::vector<Block> blocks);

  const std::string& name() const { return name_; }
  int batch() const { return batch_; }
  /// The same graph for another batch.
  Graph with_batch(int batch) const;
  /// The same layers and weights on images of another size: a resizing keeps its factor, a convolution over the whole
  /// image its kernel. Throws Error naming the operator that does not fit, and for inputs of several sizes.
  Graph with_image(const ImageSize& image) const;
  /// The same computation with these operators split, ascending by operator. Strips are called "NAME/0", "NAME/1" and
  /// so on, belong to the block of their operator, and have its weights. What is split has a stack of its name; but an
  /// output of the graph and a global pool end in one more operator of their name, which puts the strips together
  /// (their stack, where they have one, is "NAME/strips"). Throws Error naming an operator that cannot be split so
  /// (core/graph/strips.hpp), and for a graph that is split already.
  Graph with_splits(std::vector<Split> splits) const;
  /// Empty: not split.
  const std::vector<Split>& splits() const { return splits_; }
  /// The graph that this one was split from, or this one.
  const Graph& unsplit() const { return unsplit_ ? *unsplit_ : *this; }
  /// The operator of unsplit() that this one is, or is a strip or the stack of.
  OpId origin(OpId id) const { return unsplit_ ? origin_[id] : id; }

  int size() const { return static_cast<int>(ops_.size()); }
  const Operator& op(OpId id) const { return ops_[id]; }
  /// Whole output of an operator, as a term of one value.
  Term all(OpId id) const { return {Value{id, 0, ops_[id].output.c}}; }
  /// Id by name; -1 if there is none.
  OpId find(const std::string& name) const;

  /// All images and rows of an operator's output.
  Region all_of(OpId id) const { return {{0, batch_}, {0, ops_[id].output.h}}; }
  /// What an operator computes of the output that it belongs to (holder()).
  Region written(OpId id) const { return ops_[id].is_strip() ? ops_[id].writes : all_of(id); }
  /// What this operator reads of `value.op`.
  Region read(const Operator& reader, const Value& value) const;
  /// For how many images an operator computes.
  int images(OpId id) const { return images(ops_[id]); }
  int images(const Operator& op) const { return op.reads.empty() ? batch_ : op.reads.images.size(); }
  /// Which strip of its operator this is; -1: none, not even where the operator is split.
  int strip(OpId id) const { return unsplit_ ? strip_[id] : -1; }
  /// Units or inputs that compute what this operator reads as `value`: strips where it is a stack's.
  std::vector<OpId> producers(const Operator& reader, const Value& value) const;
  /// Strips of a stack, from the first row or image to the last; else none.
  const std::vector<OpId>& strips(OpId stack) const { return strips_[stack]; }
  /// What holds an operator's output: itself, or the stack of a strip.
  OpId holder(OpId id) const { return ops_[id].stack >= 0 ? ops_[id].stack : id; }
  /// Distinct units and inputs that this one reads, or that read it; ascending. A stack has none.
  std::span<const OpId> preds(OpId id) const { return preds_[id]; }
  std::span<const OpId> succs(OpId id) const { return succs_[id]; }

  const std::vector<Block>& blocks() const { return blocks_; }
  /// Schedulable operators: all but inputs and stacks, ascending.
  std::vector<OpId> units() const;
  std::vector<OpId> inputs() const;
  /// Operators whose output nobody reads: the outputs of the graph.
  std::vector<OpId> outputs() const;

  /// What outputs() are called, one name each: by default their operators' names; in an ONNX model outputs have names
  /// of their own.
  std::vector<std::string> output_names() const;
  /// Throws Error unless there is a name for each output.
  void set_output_names(std::vector<std::string> names);

  /// Weights that came with the graph, for all of its convolutions. Throws Error naming the operator
  /// where they are missing or of another size, and for a graph that is split. Without them (nullptr), runtimes draw
  /// their own.
  void set_weights(std::shared_ptr<const WeightTable> weights);
  /// nullptr if the graph came without.
  const ConvWeights* weights(OpId id, int layer) const;
  /// All of them; nullptr if the graph came without.
  const std::shared_ptr<const WeightTable>& weights() const { return weights_; }

  /// Multiply-accumulates of an operator, of the graph, for one image.
  std::int64_t macs(OpId id) const;
  std::int64_t macs() const;
  /// Weights of an operator, biases included.
  std::int64_t parameters(OpId id) const;

 private:
  OpId insert(Operator op);
  OpId add(Operator op);
  struct Became;
  Became insert_split(const Operator& op, const Split& split, bool is_output);
  Shape shape_of(const Operator& reader, const Term& term) const;
  Shape combined_shape(const Operator& op) const;
  void check_block(const Block& block) const;

  std::string name_;
  int batch_;
  std::vector<Operator> ops_;
  std::unordered_map<std::string, OpId> ids_;
  std::vector<std::vector<OpId>> preds_, succs_;
  std::vector<Block> blocks_;
  OpId block_begin_ = 0;
  std::shared_ptr<const WeightTable> weights_;
  std::vector<std::string> output_names_;  ///< empty: those of operators
  std::vector<Split> splits_;
  std::shared_ptr<const Graph> unsplit_;  ///< with origin_ and strip_, where this one is split
  std::vector<OpId> origin_;
  std::vector<int> strip_;
  std::vector<std::vector<OpId>> strips_;  ///< of a stack
};

}  // namespace opsched
