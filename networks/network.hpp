// The interface of every network, and the list of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"
#include "core/graph/image_size.hpp"

namespace opsched {

struct NetworkOptions {
  int batch = 1;
  ImageSize image{};       ///< of the input; 0: the network's own
  std::uint64_t seed = 1;  ///< random networks: seed of the wiring
  std::string edge_lists;  ///< random networks: load the edge lists in this folder instead
};

/// One entry of the list.
struct NetworkInfo {
  std::string name;     ///< as in commands and benchmark names: inception_v3
  std::string summary;  ///< one line with its source
  int image;            ///< default height and width
  std::function<Graph(const NetworkOptions&)> make;
};

const std::vector<NetworkInfo>& networks();
/// Throws Error listing the known names.
const NetworkInfo& find_network(const std::string& name);
/// find_network, with the default image size filled in. Throws Error naming the operator that does not fit.
Graph make_network(const std::string& name, const NetworkOptions& options = {});

}  // namespace opsched
