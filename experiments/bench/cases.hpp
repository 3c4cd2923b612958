// Which combinations a benchmark runs: networks x schedulers x batches x precisions x device counts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "experiments/records/record.hpp"

namespace opsched::bench {

using records::Case;

/// What to combine; names may be empty for the default.
struct Selection {
  std::vector<std::string> networks{};    ///< default: all, unless there are files
  std::vector<std::string> files{};       ///< graph files: paths, folders, or patterns such as "models/*.onnx"
  std::vector<std::string> schedulers{};  ///< each with its options behind it, a=b; default: those made for `gpus`
  std::vector<int> batches{1};
  std::vector<ImageSize> images{0};
  std::vector<std::string> precisions{};  ///< default: all
  std::vector<int> gpus{1};
};

/// In the order in which they run: what is compared runs close together, sequential first. Throws
/// Error for an unknown name and a number below its least; for graph files that are not there, or have the name of
/// another one or of a network.
std::vector<Case> make_cases(const Selection& selection);

/// Adds those that are not there yet.
void add_cases(std::vector<Case>& cases, const std::vector<Case>& more);

/// Those whose name `filter` accepts as Google Benchmark does: a regular expression that a part of the name matches;
/// with '-' in front, does not. Throws Error where nothing is left, and for what is no regular expression.
std::vector<Case> filtered(const std::vector<Case>& cases, const std::string& filter);

/// The graph of a case: its network or graph file, for its batch and image. Throws Error as make_network and load_graph
/// do.
Graph make_graph(const Case& what);

/// Paths of graph files, by the names that their cases get: each without its ending. `patterns`: as in Selection.
/// Throws Error as make_cases does.
std::map<std::string, std::string> graph_files(const std::vector<std::string>& patterns);

}  // namespace opsched::bench
