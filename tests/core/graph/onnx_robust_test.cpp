// ONNX files in the wild: huge, sparse, damaged, in any encoding, with unsupported features.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/onnx/onnx_import.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/utf8.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/onnx_writer.hpp"

namespace opsched {
namespace {

using test::OnnxWriter;

std::string complaint(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no complaint";
}

TEST(OnnxFiles, AllUnsupportedOperatorsAreNamedAtOnce) {
  OnnxWriter m;
  m.input("x", {1, 1, 2, 2}).node("Relu", {"x"}, {"a"}).node("LSTM", {"a"}, {"b"}).node("LSTM", {"b"}, {"c"});
  m.node("Relu", {"c"}, {"d"}, {}, "com.example").node("Sinh", {"d"}, {"e"}).node("NonZero", {"x"}, {"nobody"});
  const std::string text = complaint([&] { import_onnx(m.output("e").bytes(), "model", "."); });
  EXPECT_NE(text.find("LSTM (2 nodes), Sinh (1 node), com.example::Relu (1 node)"), std::string::npos) << text;
  EXPECT_EQ(text.find("NonZero"), std::string::npos) << "nobody needs it: " << text;
}

TEST(OnnxFiles, WhatIsNoModelIsCalledWhatItIs) {
  const test::TempDir dir;
  const auto load = [&](const std::string& text) {
    const std::string path = dir.write("model.onnx", text);
    return complaint([&] { load_graph(path); });
  };
  EXPECT_NE(load("").find("an empty file"), std::string::npos);
  EXPECT_NE(load("<html>\n").find("not an ONNX model; it begins with '<html>'"), std::string::npos);
  EXPECT_NE(load("\xff\xfe\n").find("not an ONNX model; it begins with '\\xff\\xfe'"), std::string::npos);
  EXPECT_NE(load("version https://git-lfs.github.com/spec/v1\noid sha256:0\n").find("git lfs pull"), std::string::npos);
  EXPECT_NE(load("\x08\x08").find("holds no graph"), std::string::npos);
  // Our own graphs are recognised under any file name.
  EXPECT_EQ(load("{\"format\": \"opsched-graph\", \"version\": 1, \"name\": \"g\", \"operators\": "
                 "[{\"name\": \"in\", \"shape\": [1, 1, 1]}]}"),
            "no complaint");
}

TEST(OnnxFiles, NamesNeedNotBeUtf8) {
  OnnxWriter m;
  const std::string odd = "\xff\xfe", clipped = "caf\xc3";
  m.input(odd, {1, 1, 2, 2}).node("Relu", {odd}, {clipped}).node("Tanh", {odd}, {"caf\xc3\xa9"});
  m.output(clipped).output("caf\xc3\xa9");
  const test::TempDir dir;
  const std::string path = dir.write("m.onnx", m.bytes());
  const Graph graph = load_graph(path);
  EXPECT_GE(graph.find("\\xff\\xfe"), 0);
  EXPECT_GE(graph.find("caf\\xc3"), 0);
  EXPECT_GE(graph.find("caf\xc3\xa9"), 0);
  EXPECT_EQ(parse_graph(graph_to_json(graph), "json").op(0).name, "\\xff\\xfe");
  for (const char* command : {"show", "show --format json", "show --format dot", "infer"}) {
    const auto run = test::run_program(std::string(command) + " --graph " + path);
    EXPECT_TRUE(run.code == 0) << command << ": " << run.err;
  }
}

TEST(ValidUtf8, KeepsCharactersAndWritesTheRestAsBytes) {
  EXPECT_EQ(valid_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(valid_utf8("\x80"), "\\x80");
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\\xc0\\xaf");           // an overlong encoding of '/'
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half of a surrogate pair
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(valid_utf8("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(valid_utf8(""), "");
}

// ---- memory

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} << 10;
}

TEST(OnnxFiles, ConstantsOfASparseFileAreReadWhereTheyLie) {
  const test::TempDir dir;
  const std::string data = dir.file("weights.bin");
  const std::int64_t far = std::int64_t{6} << 30;
  std::ofstream(data, std::ios::binary).put('\0');
  std::filesystem::resize_file(data, far);
  std::ofstream(data, std::ios::binary | std::ios::app).write("\0\0\x40\x40\0\0\x80\x3f", 8);  // 3, 1
  OnnxWriter m;
  m.input("x", {1, 1, 2, 2}).node("Conv", {"x", "w0", "b"}, {"y0"});
  m.external("w0", {1, 1, 1, 1}, "weights.bin", far).external("b", {1}, "weights.bin", far + 4);
  for (int i = 1; i < 200; ++i) {
    const std::string n = std::to_string(i);
    m.external("w" + n, {1, 1, 1, 1}, "weights.bin", far + 4);
    m.node("Conv", {"y" + std::to_string(i - 1), "w" + n}, {"y" + n});
  }
  const std::int64_t before = peak_memory();
  const Graph graph = load_graph(dir.write("m.onnx", m.output("y199").bytes()));
  EXPECT_LT(peak_memory() - before, std::int64_t{200} << 20);
  EXPECT_EQ(graph.weights(1, 0)->weight, std::vector<float>{3.0f});
  EXPECT_EQ(graph.weights(1, 0)->bias, std::vector<float>{1.0f});

  OnnxWriter beyond;
  beyond.input("x", {1, 1, 2, 2}).node("Conv", {"x", "w"}, {"y"}).output("y");
  beyond.external("w", {1, 1, 2, 1}, "weights.bin", far + 4);
  const std::string text = complaint([&] { load_graph(dir.write("beyond.onnx", beyond.bytes())); });
  EXPECT_NE(text.find("constant 'w': 'weights.bin' is too short"), std::string::npos) << text;
}

TEST(OnnxFiles, ASparseModelIsNotReadWhole) {
  const test::TempDir dir;
  const std::string path = dir.write("m.onnx", "\x08\x08");
  std::filesystem::resize_file(path, std::int64_t{6} << 30);
  const std::int64_t before = peak_memory();
  EXPECT_NE(complaint([&] { load_graph(path); }).find("not an ONNX file"), std::string::npos);
  EXPECT_LT(peak_memory() - before, std::int64_t{200} << 20);
}

TEST(OnnxFiles, SharedWeightsAreShared) {
  OnnxWriter m;
  m.input("x", {1, 64, 2, 2}).floats("w", {64, 64, 3, 3}, std::vector<float>(64 * 64 * 9, .01f));
  constexpr int count = 5000;  // 144 KiB of weights each: 0.7 GiB if not shared
  for (int i = 0; i < count; ++i)
    m.node("Conv", {i == 0 ? "x" : "c" + std::to_string(i), "w"}, {"c" + std::to_string(i + 1)},
           {{"pads", OnnxWriter::Dims{1, 1, 1, 1}}});
  const std::string bytes = m.output("c" + std::to_string(count)).bytes();
  const std::int64_t before = peak_memory();
  const Graph graph = import_onnx(bytes, "model", ".");
  EXPECT_LT(peak_memory() - before, std::int64_t{200} << 20);
  const auto units = graph.units();
  ASSERT_EQ(units.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(graph.weights(units.front(), 0), graph.weights(units.back(), 0));
}

TEST(OnnxFiles, WhoSharesWeightsMayStillBeScaled) {
  OnnxWriter m;  // a normalisation behind one of two convolutions with the same weights
  m.input("x", {1, 1, 1, 1}).floats("w", {1, 1, 1, 1}, {2}).floats("k", {1}, {3});
  m.node("Conv", {"x", "w"}, {"a"}).node("Mul", {"a", "k"}, {"a3"}).node("Conv", {"x", "w"}, {"b"});
  const Graph graph = import_onnx(m.output("a3").output("b").bytes(), "model", ".");
  const auto got = reference_outputs(graph, {Tensor{1, {1, 1, 1}, {1.0f}}}, 1);
  EXPECT_EQ(got.at(0).data, std::vector<float>{6.0f});
  EXPECT_EQ(got.at(1).data, std::vector<float>{2.0f});
}

TEST(OnnxFiles, CopiesOfAConstantTakeNoMemory) {
  OnnxWriter m;
  // One byte per value, as protocol buffers pack small integers.
  m.input("x", {1, 1, 2, 2});
  m.constant(OnnxWriter::tensor("k", {1 << 20}, test::onnx_int32).bytes(5, std::string(1 << 20, '\0')));
  for (int i = 0; i < 600; ++i)
    m.node("Identity", {i == 0 ? "k" : "k" + std::to_string(i)}, {"k" + std::to_string(i + 1)});
  m.node("Reshape", {"x", "k600"}, {"y"}).node("Relu", {"x"}, {"z"});
  const std::string bytes = m.output("z").output("y").bytes();
  const std::int64_t before = peak_memory();
  const std::string text = complaint([&] { import_onnx(bytes, "model", "."); });
  EXPECT_NE(text.find("Reshape"), std::string::npos);
  EXPECT_LT(text.size(), 1000u);
  EXPECT_LT(peak_memory() - before, std::int64_t{200} << 20);
}

}  // namespace
}  // namespace opsched
