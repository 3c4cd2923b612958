// A valid ONNX model is computed correctly or refused, never computed wrongly.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_import.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "tests/support/onnx_writer.hpp"

namespace opsched {
namespace {

using test::OnnxWriter;
using Strings = std::vector<std::string>;

Graph import(const OnnxWriter& model) { return import_onnx(model.bytes(), "model", "."); }

std::vector<float> ramp(int count, float first = -1.0f, float step = 0.37f) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(std::fmod(first + step * static_cast<float>(i) + 3, 2.0f) - 1);
  return values;
}

/// The graph's outputs on random images.
std::vector<Tensor> outputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, 5));
  return reference_outputs(graph, inputs, 1);
}

void expect_refused(const OnnxWriter& model, const std::string& about) {
  try {
    import(model);
    ADD_FAILURE() << "accepted, though " << about;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(about), std::string::npos) << e.what() << "\nexpected: " << about;
  }
}

// ---- sizes that a model leaves open

TEST(OnnxValues, BatchAndImageFillWhatAModelLeavesOpen) {
  const auto model = [](std::int64_t height, std::int64_t width) {
    OnnxWriter writer;
    writer.input("x", {-1, 3, height, width}).output("y").floats("w", {4, 3, 3, 3}, ramp(108));
    return writer.node("Conv", {"x", "w"}, {"y"}).bytes();
  };
  const auto import_at = [](const std::string& bytes, const InputSize& size) {
    return import_onnx(bytes, "model", ".", size);
  };
  const Graph graph = import_at(model(-1, -1), {.batch = 3, .image = {9, 12}});
  EXPECT_EQ(graph.batch(), 3);
  EXPECT_EQ(graph.op(graph.inputs().front()).output, (Shape{3, 9, 12}));
  EXPECT_EQ(import_at(model(9, -1), {.image = {9, 12}}).op(0).output, (Shape{3, 9, 12}));
  EXPECT_EQ(import_at(model(9, 12), {.image = {9, 12}}).batch(), 1);
  for (const auto& [bytes, size] : {std::pair{model(-1, 12), InputSize{}},
                                    {model(-1, 12), InputSize{.image = 9}},
                                    {model(9, 12), InputSize{.image = {9, 13}}}})
    EXPECT_THROW(import_at(bytes, size), Error);
}

// ---- readers that an alias hides

/// Adds nodes that compute `y` from the input, of rank 4 except for Gemm.
struct Producer {
  const char* name;
  bool flat;
  void (*add)(OnnxWriter&);
};
const Producer producers[] = {
    {"Conv", false,
     [](OnnxWriter& m) {
       m.node("Conv", {"x", "w"}, {"y"});
     }},
    {"Gemm", true,
     [](OnnxWriter& m) {
       m.node("Flatten", {"x"}, {"xf"}).node("Gemm", {"xf", "m"}, {"y"});
     }},
    {"Add", false,
     [](OnnxWriter& m) {
       m.node("Conv", {"x", "w"}, {"c"}).node("Add", {"c", "c"}, {"y"});
     }},
    {"Concat", false,
     [](OnnxWriter& m) {
       m.node("Concat", {"x", "x"}, {"y"}, {{"axis", std::int64_t{1}}});
     }},
    {"BatchNormalization", false,
     [](OnnxWriter& m) {
       m.node("Add", {"x", "x"}, {"s"}).node("BatchNormalization", {"s", "one", "half", "half", "one"}, {"y"});
     }},
};

/// Adds nodes from `y` to `a` that do not change any number.
struct Alias {
  const char* name;
  bool flat;
  void (*add)(OnnxWriter&);
};
const Alias aliases[] = {
    {"none", false, nullptr},
    {"Identity", false, [](OnnxWriter& m) { m.node("Identity", {"y"}, {"a"}); }},
    {"Dropout", false, [](OnnxWriter& m) { m.node("Dropout", {"y"}, {"a"}); }},
    {"Flatten", true, [](OnnxWriter& m) { m.node("Flatten", {"y"}, {"a"}); }},
    {"Reshape", true,
     [](OnnxWriter& m) {
       m.node("Reshape", {"y", "flat"}, {"a"});
     }},
    {"three", true,
     [](OnnxWriter& m) {
       m.node("Identity", {"y"}, {"a1"}).node("Reshape", {"a1", "flat"}, {"a2"}).node("Dropout", {"a2"}, {"a"});
     }},
};

struct Consumer {
  const char* name;
  void (*add)(OnnxWriter&, const std::string& from);
  float (*value)(float);
};
const Consumer consumers[] = {
    {"Relu", [](OnnxWriter& m, const std::string& from) { m.node("Relu", {from}, {"r"}); },
     [](float v) { return std::max(v, 0.0f); }},
    {"Tanh", [](OnnxWriter& m, const std::string& from) { m.node("Tanh", {from}, {"r"}); },
     [](float v) { return std::tanh(v); }},
};

/// What else reads the value.
enum class Other { output, pool, alias };

OnnxWriter fan_out(const Producer& producer, const Alias& alias, const Consumer* consumer, Other other, int batch) {
  OnnxWriter m;
  m.input("x", {batch, 2, 2, 2}).floats("w", {2, 2, 1, 1}, ramp(4)).floats("m", {8, 3}, ramp(24));
  m.floats("one", {2}, {1, 1}).floats("half", {2}, {.5f, -.5f}).integers("flat", {0, -1});
  producer.add(m);
  if (alias.add) alias.add(m);
  const std::string from = alias.add ? "a" : "y";
  if (consumer) consumer->add(m, from);
  // The other reader comes before or after the consumer, because readers must be counted wherever they are.
  if (other == Other::alias) m.node("Identity", {from}, {"o"});
  if (other == Other::pool) m.node("AveragePool", {"y"}, {"o"}, {{"kernel_shape", OnnxWriter::Dims{1, 1}}});
  if (consumer) m.output("r");
  m.output(other == Other::output ? "y" : "o");
  return m;
}

TEST(OnnxValues, AnActivationChangesNoValueThatOthersRead) {
  for (const Producer& producer : producers)
    for (const Alias& alias : aliases)
      for (const Consumer& consumer : consumers)
        for (const Other other : {Other::output, Other::pool, Other::alias})
          for (const int batch : {1, 3}) {
            if (producer.flat && other == Other::pool) continue;
            const auto alone = outputs(import(fan_out(producer, alias, nullptr, other, batch)));
            const auto both = outputs(import(fan_out(producer, alias, &consumer, other, batch)));
            ASSERT_EQ(alone.size(), 1u);
            ASSERT_EQ(both.size(), 2u);
            const std::string what = std::string(producer.name) + " " + alias.name + " " + consumer.name + " " +
                                     std::to_string(static_cast<int>(other)) + " batch " + std::to_string(batch);
            EXPECT_EQ(both[1].data, alone[0].data) << what;
            ASSERT_EQ(both[0].data.size(), alone[0].data.size()) << what;
            int negative = 0;
            for (std::size_t i = 0; i < both[0].data.size(); ++i) {
              negative += alone[0].data[i] < 0;
              EXPECT_NEAR(both[0].data[i], consumer.value(alone[0].data[i]), 1e-6) << what;
            }
            EXPECT_GT(negative, 0) << what << ": the case shows nothing";
          }
}

TEST(OnnxValues, BatchNormalizationChangesNoValueThatOthersRead) {
  for (const char* alias : {"", "Identity", "Dropout"}) {
    OnnxWriter m;
    m.input("x", {1, 2, 2, 2}).floats("w", {2, 2, 1, 1}, ramp(4)).floats("one", {2}, {1, 1});
    m.floats("mean", {2}, {.5f, -.5f}).node("Conv", {"x", "w"}, {"y"});
    if (*alias) m.node(alias, {"y"}, {"a"});
    m.node("BatchNormalization", {*alias ? "a" : "y", "one", "one", "mean", "one"}, {"r"}, {{"epsilon", 0.0f}});
    const auto both = outputs(import(m.output("r").output("y")));
    ASSERT_EQ(both.size(), 2u);
    for (int i = 0; i < 8; ++i) EXPECT_NEAR(both[0].data[i], both[1].data[i] + 1 - (i < 4 ? .5f : -.5f), 1e-6) << alias;
  }
}

TEST(OnnxValues, AHeadThatReadsBeforeTheActivation) {
  OnnxWriter m;
  m.input("x", {1, 4, 2, 2}).floats("w1", {4, 5}, ramp(20)).floats("w2", {5, 3}, ramp(15));
  m.node("GlobalAveragePool", {"x"}, {"g"}).node("Flatten", {"g"}, {"f"}).node("Gemm", {"f", "w1"}, {"fc"});
  m.node("Flatten", {"fc"}, {"fc2"}).node("Relu", {"fc2"}, {"a"}).node("Gemm", {"a", "w2"}, {"cls"});
  m.node("Gemm", {"fc", "w2"}, {"box"}).output("cls").output("box").output("fc");
  const auto got = outputs(import(m));
  ASSERT_EQ(got.size(), 3u);
  const std::vector<float> w2 = ramp(15);
  for (int o = 0; o < 3; ++o) {
    float cls = 0, box = 0;
    for (int i = 0; i < 5; ++i) {
      cls += std::max(got[2].data[i], 0.0f) * w2[i * 3 + o];
      box += got[2].data[i] * w2[i * 3 + o];
    }
    EXPECT_NEAR(got[0].data[o], cls, 1e-5);
    EXPECT_NEAR(got[1].data[o], box, 1e-5);
  }
}

// ---- shapes

TEST(OnnxValues, ABiasOfGemmIsReadAsOnnxBroadcastsIt) {
  const auto model = [](int batch, const OnnxWriter::Dims& dims, int count) {
    OnnxWriter m;
    m.input("x", {batch, 2, 1, 1}).floats("m", {2, 3}, ramp(6)).floats("c", dims, ramp(count, 5, .25f));
    m.node("Flatten", {"x"}, {"f"}).node("Gemm", {"f", "m", "c"}, {"z"}).node("Gemm", {"f", "m"}, {"plain"});
    return m.output("z").output("plain");
  };
  struct Case {
    OnnxWriter::Dims dims;
    int count;
  };
  for (int batch : {1, 3})
    for (const Case& c : {Case{{3}, 3}, {{1, 3}, 3}, {{1}, 1}, {{}, 1}, {{1, 1}, 1}}) {
      const auto got = outputs(import(model(batch, c.dims, c.count)));
      const std::vector<float> bias = ramp(c.count, 5, .25f);
      for (int i = 0; i < 3 * batch; ++i)
        EXPECT_NEAR(got[0].data[i] - got[1].data[i], bias[c.count == 1 ? 0 : i % 3], 1e-6);
    }
  for (int batch : {1, 3}) {
    expect_refused(model(batch, {3, 1}, 3), "a bias of the shape [3, 1]");
    expect_refused(model(batch, {3, 3}, 9), "a bias of the shape [3, 3]");
    expect_refused(model(batch, {2}, 2), "a bias of the shape [2]");
  }
}

TEST(OnnxValues, SumsOfDifferentRanksAreRefused) {
  // By ONNX's broadcasting, [1,2] and [1,2,1,1] give [1,2,1,2].
  for (const char* type : {"Add", "Sub", "Sum"}) {
    OnnxWriter m;
    m.input("x", {1, 2, 1, 1}).node("Flatten", {"x"}, {"f"}).node(type, {"f", "x"}, {"z"});
    expect_refused(m.output("z"), "incompatible shapes");
  }
}

TEST(OnnxValues, ReshapesThatMoveNumbersBetweenImagesAreRefusedWhereTheyAreRead) {
  for (const int batch : {1, 4}) {
    const auto model = [&](const std::vector<std::int64_t>& shape, const char* reader) {
      OnnxWriter m;
      m.input("x", {batch, 4, 1, 1}).integers("s", shape).floats("w", {4 * batch, 3}, ramp(12 * batch));
      m.floats("w4", {4, 3}, ramp(12)).node("Reshape", {"x", "s"}, {"f"});
      if (reader == std::string("Concat")) m.node(reader, {"f", "f"}, {"z"}, {{"axis", std::int64_t{1}}});
      if (reader == std::string("Gemm")) m.node(reader, {"f", shape[0] == 1 ? "w" : "w4"}, {"z"});
      if (reader == std::string("Identity")) m.node(reader, {"f"}, {"z"});
      return m.output("z");
    };
    for (const char* reader : {"Concat", "Gemm", "Identity"}) {
      EXPECT_THROW(import(model({2, -1}, reader)), Error) << reader << batch;
      EXPECT_THROW(import(model({-1, 2}, reader)), Error) << reader << batch;
      if (batch == 4) {
        EXPECT_THROW(import(model({1, -1}, reader)), Error) << reader;
      }
      EXPECT_NO_THROW(import(model({0, -1}, reader))) << reader;
      EXPECT_NO_THROW(import(model({-1, 4}, reader))) << reader;
      EXPECT_NO_THROW(import(model({batch, 4}, reader))) << reader;
    }
  }
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{3, -1}, {5, 5}, {-1, -1}, {-2, 4}, {1, 1 << 20, 1 << 20, 1 << 20, 1 << 20}}) {
    OnnxWriter m;
    m.input("x", {1, 4, 1, 1}).integers("s", shape).node("Reshape", {"x", "s"}, {"z"});
    expect_refused(m.output("z"), "cannot reshape [1, 4, 1, 1]");
  }
}

TEST(OnnxValues, ConstantsAreAddedAndMultipliedByChannel) {
  const std::vector<float> values = {2.0f, -0.5f};
  struct Case {
    const char* type;
    bool first;
    float (*value)(float x, float c);
  };
  const Case cases[] = {
      {"Add", false, [](float x, float c) { return x + c; }}, {"Add", true, [](float x, float c) { return x + c; }},
      {"Sub", false, [](float x, float c) { return x - c; }}, {"Sub", true, [](float x, float c) { return c - x; }},
      {"Mul", false, [](float x, float c) { return x * c; }}, {"Mul", true, [](float x, float c) { return x * c; }},
      {"Div", false, [](float x, float c) { return x / c; }}};
  for (const Case& c : cases)
    for (const OnnxWriter::Dims& dims : {OnnxWriter::Dims{2, 1, 1}, {1, 2, 1, 1}, {1, 1, 1}, {1}, {}}) {
      const bool single = dims.size() < 2 || (dims.size() == 3 && dims[0] == 1);
      OnnxWriter m;
      m.input("x", {2, 2, 3, 2}).floats("c", dims, single ? std::vector{values[1]} : values);
      m.node("Relu", {"x"}, {"y"}).node(c.type, c.first ? Strings{"c", "y"} : Strings{"y", "c"}, {"z"});
      const auto got = outputs(import(m.output("z").output("y")));
      for (int i = 0; i < 24; ++i)
        EXPECT_NEAR(got[0].data[i], c.value(got[1].data[i], values[single || i / 6 % 2]), 1e-5)
            << c.type << to_string(Shape{static_cast<int>(dims.size()), single, c.first});
    }
  for (const OnnxWriter::Dims& dims : {OnnxWriter::Dims{2, 1, 1, 1}, {1, 1, 2, 1, 1}}) {
    OnnxWriter m;  // along the batch, and with an additional dimension
    m.input("x", {2, 2, 2, 2}).floats("c", dims, values).node("Add", {"x", "c"}, {"z"});
    expect_refused(m.output("z"), "a constant of the shape");
  }
}

TEST(OnnxValues, ConstantsMayDifferFromPixelToPixel) {
  const std::vector<float> values = {2.0f, -0.5f};
  for (const bool along_width : {true, false}) {
    OnnxWriter m;
    m.input("x", {2, 2, 2, 2}).floats("c", along_width ? OnnxWriter::Dims{2} : OnnxWriter::Dims{1, 2, 1}, values);
    m.node("Relu", {"x"}, {"y"}).node("Mul", {"c", "y"}, {"z"}).node("Sub", {"c", "y"}, {"d"});
    const auto got = outputs(import(m.output("z").output("d").output("y")));
    for (int i = 0; i < 16; ++i) {
      const float c = values[along_width ? i % 2 : i / 2 % 2], y = got[2].data[i];
      EXPECT_NEAR(got[0].data[i], c * y, 1e-5) << i;
      EXPECT_NEAR(got[1].data[i], c - y, 1e-5) << i;
    }
  }
}

TEST(OnnxValues, PixelsOfSeveralImagesAreJoined) {
  OnnxWriter m;
  m.input("x", {2, 3, 4, 5}).integers("row", {2, 3, -1}).node("Relu", {"x"}, {"large"});
  m.node("MaxPool", {"large"}, {"small"}, {{"kernel_shape", OnnxWriter::Dims{2, 2}}});
  m.node("Reshape", {"large", "row"}, {"a"}).node("Reshape", {"small", "row"}, {"b"});
  m.node("Concat", {"b", "a"}, {"z"}, {{"axis", 2}});
  const auto got = outputs(import(m.output("z").output("large").output("small")));
  const int large = 20, small = 12;
  ASSERT_EQ(got[0].shape, (Shape{3, 1, small + large}));
  for (int plane = 0; plane < 6; ++plane)
    for (int i = 0; i < small + large; ++i)
      EXPECT_EQ(got[0].data[plane * (small + large) + i],
                i < small ? got[2].data[plane * small + i] : got[1].data[plane * large + i - small])
          << plane << " " << i;
}

// ---- the rest of a model

TEST(OnnxValues, AnInputThatNobodyReadsIsNoOutput) {
  OnnxWriter m;
  m.input("x", {1, 1, 2, 2}).input("u", {1, 1, 3, 3}).node("Relu", {"x"}, {"z"});
  const Graph graph = import(m.output("z"));
  EXPECT_EQ(graph.inputs().size(), 2u);
  ASSERT_EQ(graph.outputs().size(), 1u);
  EXPECT_EQ(graph.op(graph.outputs()[0]).output, (Shape{1, 2, 2}));
  EXPECT_EQ(outputs(graph).size(), 1u);
}

TEST(OnnxValues, TrainingIsRefused) {
  const auto dropout = [](std::optional<char> training) {
    OnnxWriter m;
    m.input("x", {1, 1, 2, 2}).floats("p", {}, {.5f});
    if (training) m.constant("t", {}, test::onnx_bool, std::string(1, *training));
    m.node("Dropout", training ? Strings{"x", "p", "t"} : Strings{"x", "p"}, {"z"});
    return m.output("z");
  };
  expect_refused(dropout(1), "training mode");
  EXPECT_NO_THROW(import(dropout(0)));
  EXPECT_NO_THROW(import(dropout(std::nullopt)));
  OnnxWriter m(6);
  m.input("x", {1, 1, 2, 2}).node("Dropout", {"x"}, {"z"}).output("z");
  expect_refused(m, "version 6 of ONNX's operators");
  for (const OnnxWriter::Attributes& attributes :
       {OnnxWriter::Attributes{{"training_mode", std::int64_t{1}}}, {{"spatial", std::int64_t{0}}}}) {
    OnnxWriter bn;
    bn.input("x", {1, 1, 1, 1}).floats("one", {1}, {1});
    bn.node("BatchNormalization", {"x", "one", "one", "one", "one"}, {"z"}, attributes);
    EXPECT_THROW(import(bn.output("z")), Error);
  }
}

TEST(OnnxValues, OnlyFloatingPointIsReadAsSuch) {
  for (int type = 1; type <= 23; ++type) {
    OnnxWriter m;
    m.input("x", {1, 1, 2, 2}, type).node("Relu", {"x"}, {"z"}).output("z");
    if (type == 1 || type == 10 || type == 11 || type == 16)
      EXPECT_NO_THROW(import(m)) << type;
    else
      expect_refused(m, "input 'x': has values of type ");
    OnnxWriter w;
    w.input("x", {1, 1, 2, 2}).constant("w", {1, 1, 1, 1}, type, std::string(3, '\0'));
    w.node("Conv", {"x", "w"}, {"z"}).output("z");
    EXPECT_THROW(import(w), Error) << type;  // another type, or not a whole number of values (three bytes)
  }
}

}  // namespace
}  // namespace opsched
