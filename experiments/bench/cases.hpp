// Cases of a benchmark: networks x schedulers x batches x precisions x device counts.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "experiments/records/record.hpp"

namespace opsched::bench {

using records::Case;

/// What to combine; empty names mean the default.
struct Selection {
  std::vector<std::string> networks{};    ///< default: all, unless there are files
  std::vector<std::string> files{};       ///< graph files: paths, folders, or patterns such as "models/*.onnx"
  std::vector<std::string> schedulers{};  ///< each followed by its options, a=b; default: those that support `gpus`
  std::vector<int> batches{1};
  std::vector<ImageSize> images{0};
  std::vector<std::string> precisions{};  ///< default: kUsualPrecisions
  std::vector<int> gpus{1};
};

/// Most combinations of a benchmark. More would run for weeks, and are a slip in its lists.
constexpr int kMostCases = 100'000;

/// Cases in execution order, each once.
class CaseList {
 public:
  /// Adds the combinations: cases that are compared run close together, sequential first. Throws Error for an unknown
  /// name, a number that is too small, a missing graph file, a graph file with the name of another file or network, or
  /// if there are more than kMostCases combinations, repeated ones included.
  void add(const Selection& selection);
  const std::vector<Case>& cases() const { return cases_; }

 private:
  struct Before {
    bool operator()(const Case& a, const Case& b) const;
  };
  std::vector<Case> cases_;
  std::set<Case, Before> known_;
  double combinations_ = 0;
};

/// The cases of one selection. Throws Error as CaseList::add does.
std::vector<Case> make_cases(const Selection& selection);

/// The cases whose name matches `filter`, as in Google Benchmark: a regular expression that matches part of the name;
/// a leading '-' negates it. Throws Error if nothing is left, and for an invalid regular expression.
std::vector<Case> filtered(const std::vector<Case>& cases, const std::string& filter);

/// The graph of a case: its network or graph file, for its batch and image. Throws Error as make_network and load_graph
/// do.
Graph make_graph(const Case& what);

/// Paths of graph files, by the names of their cases: file names without extension. `patterns`: as in Selection.
/// Throws Error as make_cases does.
std::map<std::string, std::string> graph_files(const std::vector<std::string>& patterns);

}  // namespace opsched::bench
