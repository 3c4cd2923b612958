// Layers that exporters write in several ways: results of small models, worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_import.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "tests/support/onnx_writer.hpp"

namespace opsched {
namespace {

using test::OnnxWriter;

/// The first output, for inputs 0, 1, 2, ... divided by 4.
std::vector<float> computed(const OnnxWriter& writer) {
  const Graph graph = import_onnx(writer.bytes(), "model", ".");
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) {
    Tensor& input = inputs.emplace_back(graph.batch(), graph.op(id).output, std::vector<float>{});
    for (std::int64_t i = 0; i < input.n * input.shape.size(); ++i) input.data.push_back(0.25f * static_cast<float>(i));
  }
  return reference_outputs(graph, inputs, 1)[0].data;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-5) << i;
}

TEST(OnnxLayers, SoftmaxIsOverItsAxisOfChannels) {
  OnnxWriter m;
  m.input("x", {1, 4, 1, 1}).integers("s", {1, 2, 2, 1}).node("Reshape", {"x", "s"}, {"r"});
  m.node("Softmax", {"r"}, {"y"}, {{"axis", std::int64_t{1}}}).output("y");
  const float far = 1 / (1 + std::exp(-0.5f));
  expect_near(computed(m), {1 - far, 1 - far, far, far});
}

TEST(OnnxLayers, BranchesAreSummed) {
  OnnxWriter m;
  m.input("x", {1, 4, 1, 2}).integers("s", {1, 2, 2, 1, 2}).integers("axes", {1}).node("Reshape", {"x", "s"}, {"r"});
  m.node("ReduceSum", {"r", "axes"}, {"y"}, {{"keepdims", std::int64_t{0}}}).output("y");
  expect_near(computed(m), {1, 1.5f, 2, 2.5f});
}

TEST(OnnxLayers, ATransposedConvolutionWritesWhereItsTapsSay) {
  OnnxWriter m;
  m.input("x", {1, 1, 1, 2}).floats("w", {1, 1, 1, 3}, {1, 2, 4});
  m.node("ConvTranspose", {"x", "w"}, {"y"}, {{"strides", std::vector<std::int64_t>{1, 2}}}).output("y");
  expect_near(computed(m), {0, 0, 0.25f, 0.5f, 1});
}

TEST(OnnxLayers, RowsAndColumnsAreCutOff) {
  OnnxWriter m;
  m.input("x", {1, 1, 2, 3}).integers("pads", {0, 0, -1, -1, 0, 0, 0, 1}).node("Pad", {"x", "pads"}, {"y"}).output("y");
  expect_near(computed(m), {1, 1.25f, 0});
}

TEST(OnnxLayers, ALayerNormalizationWrittenAsArithmetic) {
  OnnxWriter m;
  m.input("x", {1, 2, 1, 2}).integers("axes", {-1}).floats("two", {}, {2}).floats("e", {}, {0});
  m.node("Transpose", {"x"}, {"t"}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  m.node("ReduceMean", {"t", "axes"}, {"m"}).node("Sub", {"t", "m"}, {"d"}).node("Pow", {"d", "two"}, {"p"});
  m.node("ReduceMean", {"p", "axes"}, {"v"}).node("Add", {"v", "e"}, {"a"}).node("Sqrt", {"a"}, {"s"});
  m.node("Div", {"d", "s"}, {"n"}).node("Transpose", {"n"}, {"y"}, {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}});
  expect_near(computed(m.output("y")), {-1, -1, 1, 1});
}

TEST(OnnxLayers, AttentionIsRefusedInOneLine) {
  OnnxWriter m;
  m.input("x", {1, 2, 1, 1}).node("Flatten", {"x"}, {"f"}).node("MatMul", {"f", "f"}, {"y"}).output("y");
  try {
    computed(m);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("attention is not supported: MatMul of two computed values (1 node)"),
              std::string::npos)
        << e.what();
  }
}

/// A batch normalisation and ReLU of 2 channels, read by 1x1 convolutions, of which number i has a padding of i * pad,
/// and with `also` by an average pool.
OnnxWriter pre_activated(int convolutions, std::int64_t pad, bool also) {
  OnnxWriter m;
  m.input("x", {1, 2, 1, 2})
      .floats("scale", {2}, {2, -4})
      .floats("shift", {2}, {-0.5f, 3})
      .floats("zeros", {2}, {0, 0});
  m.floats("ones", {2}, {1, 1}).floats("w", {1, 2, 1, 1}, {1, 10});
  m.node("BatchNormalization", {"x", "scale", "shift", "zeros", "ones"}, {"scaled"}, {{"epsilon", 0.0f}});
  m.node("Relu", {"scaled"}, {"r"});
  for (int i = 0; i < convolutions; ++i) {
    const std::string name = "y" + std::to_string(i);
    m.node("Conv", {"r", "w"}, {name}, {{"pads", std::vector<std::int64_t>{0, i * pad, 0, 0}}}).output(name);
  }
  if (also) m.node("GlobalAveragePool", {"r"}, {"mean"}).output("mean");
  return m;
}

TEST(OnnxLayers, PointwiseConvolutionsTakeTheAffineLayerThatTheyAloneRead) {
  for (const int convolutions : {1, 3}) {
    const OnnxWriter m = pre_activated(convolutions, 0, false);
    const Graph graph = import_onnx(m.bytes(), "model", ".");
    ASSERT_EQ(graph.size(), 1 + convolutions);
    for (OpId id : graph.units()) {
      EXPECT_EQ(graph.op(id).layers.size(), 2u);
      EXPECT_EQ(graph.op(id).terms, std::vector<Term>{graph.all(0)});
      EXPECT_EQ(kind_name(graph.op(id)), "chain");
    }
    expect_near(computed(m), {0 + 10, 0});  // x is 0, 1/4 | 1/2, 3/4
  }
}

TEST(OnnxLayers, AnAffineLayerThatOthersReadStaysAnOperator) {
  const OnnxWriter pooled = pre_activated(1, 0, true), padded = pre_activated(2, 1, false);
  for (const OnnxWriter* m : {&pooled, &padded}) {
    const Graph graph = import_onnx(m->bytes(), "model", ".");
    ASSERT_EQ(graph.size(), 4);
    for (OpId id : graph.units()) EXPECT_EQ(graph.op(id).layers.size(), 1u);
    expect_near(computed(*m), {10, 0});
  }
}

}  // namespace
}  // namespace opsched
