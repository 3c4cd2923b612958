// HIOS's text format for a DAG of operators with known latencies.
//
//   n                  number of operators
//   id t u             n lines: 0 <= id < n, latency in ms, utilisation in (0, 1]
//   m                  number of edges
//   a b w              m lines: operator a feeds b; transfer to another device in ms
#pragma once

#include <string>

#include "networks/random_dag.hpp"

namespace opsched {

/// Parses the text format. Throws Error naming file (`where`) and line: a missing or malformed line, a value out of
/// range, a duplicate operator or edge, a cycle.
WeightedDag parse_dag(const std::string& text, const std::string& where);
/// parse_dag of a file; the DAG is named after it, without folder and extension.
WeightedDag read_dag(const std::string& path);

/// The text format; numbers are written so that reading returns the same values.
std::string dag_text(const WeightedDag& dag);
/// Throws Error naming the file if it cannot be written.
void write_dag(const std::string& path, const WeightedDag& dag);

}  // namespace opsched
