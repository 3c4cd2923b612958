// NasNet-A Large, 6 @ 4032 (Zoph et al., CVPR 2018), as IOS schedules it: one block of 374 operators in 25 parts, one
// per cell. Batch normalisation is folded; there is no classifier.
//
// IOS's network is a little smaller than the published one. Normal cells leave their left input out of the join. The
// second stem cell adds the halves of its right input instead of joining them. The first combination of each first cell
// reads the right input twice. tests/libraries/check_definitions.py undoes these changes and compares with timm's
// network.
#include "networks/network.hpp"
#include "networks/network_builder.hpp"

namespace opsched {
namespace {

constexpr int stem_filters = 96, filters = 168;

Pair square(int n) { return {n, n}; }

/// relu + 1x1 convolution.
OpId relu_conv(NetworkBuilder& b, const std::string& name, OpId x, int channels, int stride = 1) {
  return b.add(name, {b.sum({x})}, {Activate{}, Conv2d{.out_channels = channels, .stride = square(stride)}});
}

/// A separable branch: relu + depthwise + pointwise, twice. The first has the stride.
OpId separable(NetworkBuilder& b, const std::string& name, OpId x, int channels, int kernel, int stride,
               bool widen = false) {
  const auto unit = [&](const std::string& suffix, OpId from, int out, int step) {
    const int in = b.channels(from);
    const Conv2d depthwise{.out_channels = in,
                           .kernel = square(kernel),
                           .stride = square(step),
                           .padding = square(kernel / 2),
                           .groups = in};
    return b.add(name + suffix, {b.sum({from})}, {Activate{}, depthwise, Conv2d{.out_channels = out}});
  };
  // The first pointwise convolution keeps the channels, except in the first stem cell.
  return unit("_2", unit("_1", x, widen ? channels : b.channels(x), stride), channels, 1);
}

OpId avg(NetworkBuilder& b, const std::string& name, OpId x, int stride) {
  return b.pool(name, x, avg_pool(3, stride, 1));
}
OpId max(NetworkBuilder& b, const std::string& name, OpId x) { return b.pool(name, x, max_pool(3, 2, 1)); }

/// The five combinations of a reduction cell. `left` feeds the pools and the first 5x5; `right` feeds the others.
OpId reduce(NetworkBuilder& b, OpId left, OpId right, int channels, bool widen) {
  const OpId c0l = separable(b, "comb0_left", left, channels, 5, 2);
  const OpId c0r = separable(b, "comb0_right", right, channels, 7, 2, widen);
  const OpId c0 = b.add("comb0", {b.sum({c0l, c0r})}, {});
  const OpId c1l = max(b, "comb1_left", left);
  const OpId c1r = separable(b, "comb1_right", right, channels, 7, 2, widen);
  const OpId c1 = b.add("comb1", {b.sum({c1l, c1r})}, {});
  const OpId c2l = avg(b, "comb2_left", left, 2);
  const OpId c2r = separable(b, "comb2_right", right, channels, 5, 2, widen);
  const OpId c3r = avg(b, "comb3_right", c0, 1);
  const OpId c4l = separable(b, "comb4_left", c0, channels, 3, 1);
  const OpId c4r = max(b, "comb4_right", left);
  return b.add("join", {b.sum({c1}), b.sum({c2l, c2r}), b.sum({c3r, c1}), b.sum({c4l, c4r})}, {});
}

OpId stem_cell_0(NetworkBuilder& b, OpId x, int channels) {
  b.begin_part("stem0");
  return reduce(b, relu_conv(b, "left", x, channels), x, channels, true);
}

/// The two halves of a path that halves the image: 1x1 convolutions with stride 2.
std::array<OpId, 2> halve(NetworkBuilder& b, const std::string& name, OpId x, int channels) {
  return {relu_conv(b, name + "_1", x, channels / 2, 2), relu_conv(b, name + "_2", x, channels / 2, 2)};
}

OpId stem_cell_1(NetworkBuilder& b, OpId x, OpId before, int channels) {
  b.begin_part("stem1");
  const OpId left = relu_conv(b, "left", x, channels);
  const auto [first, second] = halve(b, "right", before, channels);
  const OpId right = b.add("right", {b.sum({first, second})}, {});
  return reduce(b, left, right, channels, false);
}

OpId reduction_cell(NetworkBuilder& b, const std::string& name, OpId x, OpId before, int channels) {
  b.begin_part(name);
  const OpId right = relu_conv(b, "right", before, channels);
  return reduce(b, relu_conv(b, "left", x, channels), right, channels, false);
}

OpId first_cell(NetworkBuilder& b, const std::string& name, OpId x, OpId before, int channels) {
  b.begin_part(name);
  const auto [first, second] = halve(b, "left", before, channels);
  const OpId left = b.concat("left", {first, second});
  const OpId right = relu_conv(b, "right", x, channels);
  const OpId c0l = separable(b, "comb0_left", right, channels, 5, 1);
  const OpId c0r = separable(b, "comb0_right", right, channels, 3, 1);
  const OpId c1l = separable(b, "comb1_left", left, channels, 5, 1);
  const OpId c1r = separable(b, "comb1_right", left, channels, 3, 1);
  const OpId c2l = avg(b, "comb2_left", right, 1);
  const OpId c3l = avg(b, "comb3_left", left, 1);
  const OpId c3r = avg(b, "comb3_right", left, 1);
  const OpId c4l = separable(b, "comb4_left", right, channels, 3, 1);
  return b.add(
      "join",
      {b.sum({left}), b.sum({c0l, c0r}), b.sum({c1l, c1r}), b.sum({c2l, left}), b.sum({c3l, c3r}), b.sum({c4l, right})},
      {});
}

OpId normal_cell(NetworkBuilder& b, const std::string& name, OpId x, OpId before, int channels) {
  b.begin_part(name);
  const OpId left = relu_conv(b, "left", before, channels);
  const OpId right = relu_conv(b, "right", x, channels);
  const OpId c0l = separable(b, "comb0_left", right, channels, 5, 1);
  const OpId c0r = separable(b, "comb0_right", left, channels, 3, 1);
  const OpId c1l = separable(b, "comb1_left", left, channels, 5, 1);
  const OpId c1r = separable(b, "comb1_right", left, channels, 3, 1);
  const OpId c2l = avg(b, "comb2_left", right, 1);
  const OpId c3l = avg(b, "comb3_left", left, 1);
  const OpId c3r = avg(b, "comb3_right", left, 1);
  const OpId c4l = separable(b, "comb4_left", right, channels, 3, 1);
  return b.add("join",
               {b.sum({c0l, c0r}), b.sum({c1l, c1r}), b.sum({c2l, left}), b.sum({c3l, c3r}), b.sum({c4l, right})}, {});
}

Graph make_nasnet(const NetworkOptions& options) {
  Graph graph("nasnet", options.batch);
  NetworkBuilder b(graph);
  const OpId input = graph.add_input("input", {3, options.image.height, options.image.width});
  b.begin_part("stem");
  const OpId stem = b.conv("conv", input, {.out_channels = stem_filters, .kernel = {3, 3}, .stride = {2, 2}});
  OpId before = stem_cell_0(b, stem, filters / 4);
  OpId x = stem_cell_1(b, before, stem, filters / 2);
  // A cell reads the two before it; the first cell of a group reads what the reduction cell read.
  for (int group = 0; group < 3; ++group) {
    const int channels = filters << group;
    const std::string g = std::to_string(group + 1);
    if (group > 0) {
      const OpId reduced = reduction_cell(b, "reduction" + std::to_string(group), x, before, channels);
      x = reduced;
    }
    const OpId first = first_cell(b, "cell" + g + "_1", x, before, channels);
    before = x;
    x = first;
    for (int i = 2; i <= 6; ++i) {
      const OpId next = normal_cell(b, "cell" + g + "_" + std::to_string(i), x, before, channels);
      before = x;
      x = next;
    }
  }
  b.begin_part("relu");
  x = b.add("relu", {graph.all(x)}, {Activate{}});
  b.begin_part("pool");
  b.pool("pool", x, global_avg_pool());
  b.end("nasnet");
  return graph;
}

}  // namespace

NetworkInfo nasnet_network() {
  return {"nasnet", "NasNet-A Large, 6 @ 4032 (Zoph et al. 2018): 374 operators in 25 parts", 331, make_nasnet};
}

}  // namespace opsched
