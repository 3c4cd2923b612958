// SqueezeNet (Iandola et al., 2016) with complex bypass, as IOS schedules it: 12 blocks, 50 operators.
#include "networks/network.hpp"
#include "networks/network_builder.hpp"

namespace opsched {
namespace {

/// A fire module with a bypass around it, through a 1x1 convolution where the channels change.
OpId fire(NetworkBuilder& b, const std::string& name, OpId x, int squeeze, int expand) {
  b.begin(name);
  const OpId squeezed = b.conv("squeeze", x, conv_relu(squeeze));
  const OpId three = b.conv("expand3x3", squeezed, conv_relu(expand, {3, 3}, {1, 1}, {1, 1}));
  const OpId one = b.conv("expand1x1", squeezed, conv_relu(expand));
  const OpId expanded = b.concat("expand", {three, one});
  const bool same = b.channels(x) == 2 * expand;
  const OpId bypass = same ? x : b.conv("bypass", x, conv_relu(2 * expand));
  const OpId out = b.add("join", {b.sum({expanded, bypass})}, {});
  b.end();
  return out;
}

OpId pool(NetworkBuilder& b, const std::string& name, OpId x) {
  b.begin(name);
  x = b.pool("pool", x, max_pool(3, 2));
  b.end();
  return x;
}

Graph make_squeezenet(const NetworkOptions& options) {
  Graph graph("squeezenet", options.batch);
  NetworkBuilder b(graph);
  OpId x = graph.add_input("input", {3, options.image.height, options.image.width});
  b.begin("stem");
  x = b.conv("conv", x, conv_relu(96, {7, 7}, {2, 2}, {3, 3}));
  x = b.pool("pool", x, max_pool(3, 2));
  b.end();
  x = fire(b, "fire2", x, 16, 64);
  x = fire(b, "fire3", x, 16, 64);
  x = fire(b, "fire4", x, 32, 128);
  x = pool(b, "pool4", x);
  x = fire(b, "fire5", x, 32, 128);
  x = fire(b, "fire6", x, 48, 192);
  x = fire(b, "fire7", x, 48, 192);
  x = fire(b, "fire8", x, 64, 256);
  x = pool(b, "pool8", x);
  x = fire(b, "fire9", x, 64, 256);
  b.begin("tail");
  x = b.conv("conv", x, conv_relu(1000));
  b.pool("pool", x, global_avg_pool());
  b.end();
  return graph;
}

}  // namespace

NetworkInfo squeezenet_network() {
  return {"squeezenet", "SqueezeNet with complex bypass (Iandola et al. 2016): 50 operators in 12 blocks", 224,
          make_squeezenet};
}

}  // namespace opsched
