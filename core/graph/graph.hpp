// The graph: operators in topological order, divided into blocks.
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

/// A part of the graph that is scheduled separately. `parts` divides a block that is too large for an exact search;
/// empty means one part. Graph inputs belong to no block.
struct Block {
  std::string name;
  std::vector<OpId> ops;                 ///< ascending
  std::vector<std::vector<OpId>> parts;  ///< disjoint, ascending, together equal to `ops`; or empty
};

/// What the strips of an operator divide.
enum class Along { rows, images };
std::string to_string(Along along);

/// How an operator is split into strips.
struct Split {
  OpId op = -1;             ///< in the graph that is not split
  std::vector<int> begins;  ///< first row (of its input, for a global pool) or image of each strip after the first
  Along along = Along::rows;
  bool operator==(const Split&) const = default;
};

/// Which operators differ from those of the network because ReLUs were moved to where a tensor is written
/// (early_relu.hpp). By operator.
struct ReluMoves {
  std::vector<bool> early;     ///< Operator::ends_early
  std::vector<bool> relieved;  ///< Operator::relieved
};

/// An acyclic graph of operators for a given batch. Operators are added after their inputs, so ids are a topological
/// order.
class Graph {
 public:
  explicit Graph(std::string name, int batch = 1);

  /// Adds a graph input.
  OpId add_input(const std::string& name, Shape shape);
  /// Adds an operator and infers its shapes. Throws Error naming the operator if a term is empty, reads unknown
  /// channels, shapes do not match, or the name is taken.
  OpId add(const std::string& name, std::vector<Term> terms, std::vector<Layer> layers,
           Combine combine = Combine::concat);
  /// Makes a block of all operators added since the last call (or since the start). `parts`: see Block.
  void end_block(const std::string& name, std::vector<std::vector<OpId>> parts = {});
  /// Sets all blocks at once (for importers). Throws Error unless every unit is in exactly one block and none reads
  /// from a later block or part.
  void set_blocks(std::vector<Block> blocks);

  const std::string& name() const { return name_; }
  int batch() const { return batch_; }
  /// The same graph for another batch.
  Graph with_batch(int batch) const;
  /// The same layers and weights for another image size. A resize keeps its factor, and a convolution over the whole
  /// image its kernel. Throws Error naming an operator that does not fit, and for inputs of several sizes.
  Graph with_image(const ImageSize& image) const;
  /// The same computation with these operators split, ascending by operator. Strips are named "NAME/0", "NAME/1" and
  /// so on, belong to the block of their operator, and use its weights. A split operator has a stack of its name. A
  /// graph output and a global pool instead end in one more operator of their name that combines the strips (their
  /// stack, if any, is "NAME/strips"). Throws Error naming an operator that cannot be split this way
  /// (core/graph/strips.hpp), and for a graph that is already split.
  Graph with_splits(std::vector<Split> splits) const;
  /// Empty: not split.
  const std::vector<Split>& splits() const { return splits_; }
  /// The graph from which this one was split, or this one.
  const Graph& unsplit() const { return unsplit_ ? *unsplit_ : *this; }
  /// The operator of unsplit() that this operator is, or of which it is a strip or the stack.
  OpId origin(OpId id) const { return unsplit_ ? origin_[id] : id; }

  int size() const { return static_cast<int>(ops_.size()); }
  const Operator& op(OpId id) const { return ops_[id]; }
  /// Whole output of an operator, as a term of one value.
  Term all(OpId id) const { return {Value{id, 0, ops_[id].output.c}}; }
  /// Id by name; -1 if there is no such operator.
  OpId find(const std::string& name) const;

  /// All images and rows of an operator's output.
  Region all_of(OpId id) const { return {{0, batch_}, {0, ops_[id].output.h}}; }
  /// The region of holder()'s output that this operator computes.
  Region written(OpId id) const { return ops_[id].is_strip() ? ops_[id].writes : all_of(id); }
  /// The region of `value.op` that this operator reads.
  Region read(const Operator& reader, const Value& value) const;
  /// Number of images that an operator computes.
  int images(OpId id) const { return images(ops_[id]); }
  int images(const Operator& op) const { return op.reads.empty() ? batch_ : op.reads.images.size(); }
  /// Index of this strip within its operator; -1 if it is not a strip, even if the operator is split.
  int strip(OpId id) const { return unsplit_ ? strip_[id] : -1; }
  /// Units or inputs that compute what this operator reads as `value`: the strips, if it reads a stack.
  std::vector<OpId> producers(const Operator& reader, const Value& value) const;
  /// Strips of a stack, from the first row or image to the last; empty for other operators.
  const std::vector<OpId>& strips(OpId stack) const { return strips_[stack]; }
  /// The operator under whose name an output is read: itself, or the stack of a strip.
  OpId holder(OpId id) const { return ops_[id].stack >= 0 ? ops_[id].stack : id; }
  /// Distinct units and inputs that this operator reads, or that read it; ascending. A stack has none.
  std::span<const OpId> preds(OpId id) const { return preds_[id]; }
  std::span<const OpId> succs(OpId id) const { return succs_[id]; }

  const std::vector<Block>& blocks() const { return blocks_; }
  /// Schedulable operators: all except inputs and stacks, ascending.
  std::vector<OpId> units() const;
  std::vector<OpId> inputs() const;
  /// Operators that nobody reads: the outputs of the graph.
  std::vector<OpId> outputs() const;

  /// Names of outputs(), one each. Default: the operators' names; outputs of an ONNX model have their own names.
  std::vector<std::string> output_names() const;
  /// Throws Error unless there is a name for each output.
  void set_output_names(std::vector<std::string> names);

  /// Weights for all convolutions, from the model. Throws Error naming the operator if they are missing or have
  /// another size, and for a split graph. Without them (nullptr), runtimes draw weights.
  void set_weights(std::shared_ptr<const WeightTable> weights);
  /// nullptr if the graph has none.
  const ConvWeights* weights(OpId id, int layer) const;
  /// All of them; nullptr if the graph has none.
  const std::shared_ptr<const WeightTable>& weights() const { return weights_; }

  ReluMoves relu_moves() const;
  /// States that the layers of these operators have moved ReLUs. Throws Error for operators that have no such ReLU.
  void set_relu_moves(const ReluMoves& moves);

  /// Multiply-accumulates of an operator, or of the graph, for one image.
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
  std::vector<std::string> output_names_;  ///< empty: the operators' names
  std::vector<Split> splits_;
  std::shared_ptr<const Graph> unsplit_;  ///< with origin_ and strip_, if this graph is split
  std::vector<OpId> origin_;
  std::vector<int> strip_;
  std::vector<std::vector<OpId>> strips_;  ///< of a stack
};

}  // namespace opsched
