// A graph as described in a file, by names and in any order: the result of all importers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Channels [begin, end) of a named operator.
struct ValueSpec {
  std::string op;
  int begin = 0, end = 0;
};

/// A shape stated in a file, after this many layers of an operator.
struct StatedShape {
  std::size_t layers = 0;
  Shape shape;
};

struct OperatorSpec {
  std::string name;
  std::optional<Shape> input;  ///< an input of the graph, of this shape
  std::vector<std::vector<ValueSpec>> terms;
  std::vector<Layer> layers;
  Combine combine = Combine::concat;
  std::vector<StatedShape> stated;  ///< checked
};

struct BlockSpec {
  std::string name;
  std::vector<std::string> ops;
  std::vector<std::vector<std::string>> parts;
};

struct GraphSpec {
  std::string name;
  int batch = 1;
  std::vector<OperatorSpec> ops;
  std::optional<std::vector<BlockSpec>> blocks;  ///< not stated: natural_blocks()
};

/// Limit on the number of operators in a file.
inline constexpr int max_file_operators = 1 << 20;

/// Limits on the values and layers of an operator in a file.
inline constexpr int max_file_values = 1 << 13, max_file_layers = 1 << 10;

/// Limit on the length of a name in a file, in bytes.
inline constexpr int max_file_name = 1000;

/// Sorts operators and blocks topologically (keeping the order of the file where possible) and builds the graph.
/// Throws Error naming the problem: a duplicate name, a missing operator, a cycle (of operators or blocks), a shape
/// that differs from the stated one, or an exceeded limit.
Graph assemble(const GraphSpec& spec);

}  // namespace opsched
