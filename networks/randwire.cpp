// RandWire (Xie et al., ICCV 2019), regular regime, as IOS schedules it: 6 blocks, 120 operators. The four random
// stages are drawn from the seed or read from edge lists; randwire-paper has those of IOS's paper.
#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "networks/network.hpp"
#include "networks/network_builder.hpp"
#include "networks/wiring.hpp"

namespace opsched {
namespace {

constexpr int stages = 4, base_channels = 154;

/// The files ws-*.txt of the folder in name order, one per stage; additional ones are ignored.
std::vector<Wiring> load_wirings(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("ws-") && name.ends_with(".txt")) paths.push_back(it->path().string());
  }
  if (error) throw Error("folder of edge lists '" + folder + "': " + error.message());
  if (paths.size() < stages)
    throw Error("folder of edge lists '" + folder + "': needs " + std::to_string(stages) +
                " files ws-*.txt, one a stage in name order; found " + std::to_string(paths.size()));
  std::ranges::sort(paths);
  std::vector<Wiring> wirings;
  wirings.reserve(stages);
  for (int i = 0; i < stages; ++i) wirings.push_back(read_edge_list(paths[i]));
  return wirings;
}

std::vector<Wiring> draw_wirings(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Wiring> wirings;
  wirings.reserve(stages);
  for (int i = 0; i < stages; ++i) wirings.push_back(watts_strogatz(i == 0 ? 16 : 32, 4, 0.75, random));
  return wirings;
}

/// A node is relu + depthwise 3x3 + pointwise on the sum of its inputs. Nodes without inputs read the stage's input
/// with stride 2. The stage's output is the sum of the nodes without readers.
OpId stage(NetworkBuilder& b, const std::string& name, OpId x, const Wiring& wiring, int channels) {
  std::vector<std::vector<OpId>> reads(wiring.nodes);
  std::vector<bool> read(wiring.nodes, false);
  std::vector<OpId> nodes, sinks;
  for (const auto& [from, to] : wiring.edges) {
    reads[to].push_back(from);
    read[from] = true;
  }
  b.begin(name);
  for (int i = 0; i < wiring.nodes; ++i) {
    std::vector<OpId> inputs;
    for (int from : reads[i]) inputs.push_back(nodes[from]);
    const int stride = inputs.empty() ? 2 : 1;
    if (inputs.empty()) inputs.push_back(x);
    const int in = b.channels(inputs.front());
    const Conv2d depthwise{
        .out_channels = in, .kernel = {3, 3}, .stride = {stride, stride}, .padding = {1, 1}, .groups = in};
    nodes.push_back(
        b.add("node" + std::to_string(i), {b.sum(inputs)}, {Activate{}, depthwise, Conv2d{.out_channels = channels}}));
    if (!read[i]) sinks.push_back(nodes.back());
  }
  const OpId out = b.add("join", {b.sum(sinks)}, {});
  b.end();
  return out;
}

/// `wirings`: one per stage, in order.
Graph make_randwire(const std::string& name, const NetworkOptions& options, const std::vector<Wiring>& wirings) {
  Graph graph(name, options.batch);
  NetworkBuilder b(graph);
  OpId x = graph.add_input("input", {3, options.image.height, options.image.width});
  b.begin("stem");
  x = b.conv("conv", x, {.out_channels = base_channels / 2, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
  b.end();
  for (int i = 0; i < stages; ++i) x = stage(b, "stage" + std::to_string(i + 2), x, wirings[i], base_channels << i);
  b.begin("tail");
  x = b.add("relu", {b.sum({x})}, {Activate{}});
  x = b.conv("conv", x, {.out_channels = 1280});
  b.pool("pool", x, global_avg_pool());
  b.end();
  return graph;
}

Graph make_random(const NetworkOptions& options) {
  return make_randwire("randwire", options,
                       options.edge_lists.empty() ? draw_wirings(options.seed) : load_wirings(options.edge_lists));
}

Graph make_paper(const NetworkOptions& options) {
  if (!options.edge_lists.empty())
    throw Error("network 'randwire-paper' has the paper's edges; edge lists from '" + options.edge_lists +
                "' are for network 'randwire'");
  return make_randwire("randwire-paper", options, randwire_paper_wirings());
}

}  // namespace

NetworkInfo randwire_network() {
  return {"randwire", "RandWire, regular regime (Xie et al. 2019): 120 operators in 6 blocks, four random stages", 224,
          make_random};
}

NetworkInfo randwire_paper_network() {
  return {"randwire-paper", "RandWire as IOS's paper drew it (Ding et al. 2021): 120 operators in 6 blocks", 224,
          make_paper};
}

}  // namespace opsched
