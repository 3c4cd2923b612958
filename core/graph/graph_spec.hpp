// A graph as a file tells it, by names and in any order: what all importers produce.
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

/// A shape as stated in a file, after that many layers of an operator.
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

/// Most operators that a file may hold.
inline constexpr int max_file_operators = 1 << 20;

/// Most values that an operator of a file may read, and most layers it may have.
inline constexpr int max_file_values = 1 << 13, max_file_layers = 1 << 10;

/// Longest name in a file, in bytes.
inline constexpr int max_file_name = 1000;

/// Sorts operators and blocks topologically (first in the file first, where it is free to choose) and
/// builds the graph. Throws Error naming what is wrong: a name used twice, an operator that is missing,
/// a cycle (of operators, or of blocks), a shape other than stated, a limit above that is passed.
Graph assemble(const GraphSpec& spec);

}  // namespace opsched
