// Inception V3 (Szegedy et al., CVPR 2016), as IOS schedules it: 13 blocks, 119 operators, batch normalisation folded
// into the convolutions, global average pooling at the end, no classifier.
#include "networks/network.hpp"
#include "networks/network_builder.hpp"

namespace opsched {
namespace {

OpId stem(NetworkBuilder& b, OpId x) {
  b.begin("stem");
  x = b.conv("conv1", x, conv_relu(32, {3, 3}, {2, 2}));
  x = b.conv("conv2", x, conv_relu(32, {3, 3}));
  x = b.conv("conv3", x, conv_relu(64, {3, 3}, {1, 1}, {1, 1}));
  x = b.pool("pool1", x, max_pool(3, 2));
  x = b.conv("conv4", x, conv_relu(80));
  x = b.conv("conv5", x, conv_relu(192, {3, 3}));
  x = b.pool("pool2", x, max_pool(3, 2));
  b.end();
  return x;
}

/// Average pooling followed by a 1x1 convolution: the last branch of most blocks.
OpId pool_branch(NetworkBuilder& b, OpId x, int channels) {
  return b.conv("pool_conv", b.pool("pool", x, avg_pool(3, 1, 1)), conv_relu(channels));
}

OpId block_a(NetworkBuilder& b, const std::string& name, OpId x, int pool_channels) {
  b.begin(name);
  const OpId one = b.conv("1x1", x, conv_relu(64));
  OpId five = b.conv("5x5_1", x, conv_relu(48));
  five = b.conv("5x5_2", five, conv_relu(64, {5, 5}, {1, 1}, {2, 2}));
  OpId twice = b.conv("3x3dbl_1", x, conv_relu(64));
  twice = b.conv("3x3dbl_2", twice, conv_relu(96, {3, 3}, {1, 1}, {1, 1}));
  twice = b.conv("3x3dbl_3", twice, conv_relu(96, {3, 3}, {1, 1}, {1, 1}));
  const OpId pool = pool_branch(b, x, pool_channels);
  const OpId out = b.concat("join", {one, five, twice, pool});
  b.end();
  return out;
}

OpId block_b(NetworkBuilder& b, const std::string& name, OpId x) {
  b.begin(name);
  const OpId three = b.conv("3x3", x, conv_relu(384, {3, 3}, {2, 2}));
  OpId twice = b.conv("3x3dbl_1", x, conv_relu(64));
  twice = b.conv("3x3dbl_2", twice, conv_relu(96, {3, 3}, {1, 1}, {1, 1}));
  twice = b.conv("3x3dbl_3", twice, conv_relu(96, {3, 3}, {2, 2}));
  const OpId pool = b.pool("pool", x, max_pool(3, 2));
  const OpId out = b.concat("join", {three, twice, pool});
  b.end();
  return out;
}

OpId block_c(NetworkBuilder& b, const std::string& name, OpId x, int c7) {
  const Conv2d row7 = conv_relu(c7, {1, 7}, {1, 1}, {0, 3}), column7 = conv_relu(c7, {7, 1}, {1, 1}, {3, 0});
  b.begin(name);
  const OpId one = b.conv("1x1", x, conv_relu(192));
  OpId seven = b.conv("7x7_1", x, conv_relu(c7));
  seven = b.conv("7x7_2", seven, row7);
  seven = b.conv("7x7_3", seven, conv_relu(192, {7, 1}, {1, 1}, {3, 0}));
  OpId twice = b.conv("7x7dbl_1", x, conv_relu(c7));
  twice = b.conv("7x7dbl_2", twice, column7);
  twice = b.conv("7x7dbl_3", twice, row7);
  twice = b.conv("7x7dbl_4", twice, column7);
  twice = b.conv("7x7dbl_5", twice, conv_relu(192, {1, 7}, {1, 1}, {0, 3}));
  const OpId pool = pool_branch(b, x, 192);
  const OpId out = b.concat("join", {one, seven, twice, pool});
  b.end();
  return out;
}

OpId block_d(NetworkBuilder& b, const std::string& name, OpId x) {
  b.begin(name);
  OpId three = b.conv("3x3_1", x, conv_relu(192));
  three = b.conv("3x3_2", three, conv_relu(320, {3, 3}, {2, 2}));
  OpId seven = b.conv("7x7x3_1", x, conv_relu(192));
  seven = b.conv("7x7x3_2", seven, conv_relu(192, {1, 7}, {1, 1}, {0, 3}));
  seven = b.conv("7x7x3_3", seven, conv_relu(192, {7, 1}, {1, 1}, {3, 0}));
  seven = b.conv("7x7x3_4", seven, conv_relu(192, {3, 3}, {2, 2}));
  const OpId pool = b.pool("pool", x, max_pool(3, 2));
  const OpId out = b.concat("join", {three, seven, pool});
  b.end();
  return out;
}

OpId block_e(NetworkBuilder& b, const std::string& name, OpId x) {
  const Conv2d row3 = conv_relu(384, {1, 3}, {1, 1}, {0, 1}), column3 = conv_relu(384, {3, 1}, {1, 1}, {1, 0});
  b.begin(name);
  const OpId one = b.conv("1x1", x, conv_relu(320));
  const OpId three = b.conv("3x3_1", x, conv_relu(384));
  const OpId three_a = b.conv("3x3_2a", three, row3);
  const OpId three_b = b.conv("3x3_2b", three, column3);
  OpId twice = b.conv("3x3dbl_1", x, conv_relu(448));
  twice = b.conv("3x3dbl_2", twice, conv_relu(384, {3, 3}, {1, 1}, {1, 1}));
  const OpId twice_a = b.conv("3x3dbl_3a", twice, row3);
  const OpId twice_b = b.conv("3x3dbl_3b", twice, column3);
  const OpId pool = pool_branch(b, x, 192);
  const OpId out = b.concat("join", {one, three_a, three_b, twice_a, twice_b, pool});
  b.end();
  return out;
}

Graph make_inception_v3(const NetworkOptions& options) {
  Graph graph("inception_v3", options.batch);
  NetworkBuilder b(graph);
  OpId x = stem(b, graph.add_input("input", {3, options.image.height, options.image.width}));
  x = block_a(b, "a1", x, 32);
  x = block_a(b, "a2", x, 64);
  x = block_a(b, "a3", x, 64);
  x = block_b(b, "b", x);
  x = block_c(b, "c1", x, 128);
  x = block_c(b, "c2", x, 160);
  x = block_c(b, "c3", x, 160);
  x = block_c(b, "c4", x, 192);
  x = block_d(b, "d", x);
  x = block_e(b, "e1", x);
  x = block_e(b, "e2", x);
  b.begin("tail");
  b.pool("pool", x, global_avg_pool());
  b.end();
  return graph;
}

}  // namespace

NetworkInfo inception_v3_network() {
  return {"inception_v3", "Inception V3 (Szegedy et al. 2016): 119 operators in 13 blocks", 299, make_inception_v3};
}

}  // namespace opsched
