// Random wirings for RandWire: drawn (Watts-Strogatz), read from an edge list, or published.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace opsched {

/// A directed acyclic graph on nodes 0 ... nodes-1: every edge goes from a lower to a higher index.
struct Wiring {
  int nodes = 0;
  std::vector<std::pair<int, int>> edges;  ///< ascending, none twice
};

/// WS(nodes, neighbours, rewire) of Watts and Strogatz (Nature, 1998): a ring in which each node is connected to its
/// `neighbours` nearest; then every edge (i, i + j) moves its far end, with probability `rewire`, to a node that i is
/// not yet connected to. Directed from lower to higher index. Identical on every machine for the same generator state.
/// Throws Error unless neighbours is even, 0 < neighbours < nodes, and 0 <= rewire <= 1.
Wiring watts_strogatz(int nodes, int neighbours, double rewire, std::mt19937_64& random);

/// Reads an edge list: the number of nodes, the number of edges, then one "from to" per line. Throws Error naming file
/// and line.
Wiring read_edge_list(const std::string& path);

/// The four stages of the RandWire instance that IOS's paper counts and measures (Ding et al., MLSys 2021, table 1):
/// WS(16, 4, 0.75) and three of WS(32, 4, 0.75), as published with its code.
const std::vector<Wiring>& randwire_paper_wirings();

}  // namespace opsched
