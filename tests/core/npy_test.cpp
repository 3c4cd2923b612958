#include "core/npy.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/inference.hpp"
#include "core/runtime/tensor.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"

namespace opsched {
namespace {

using test::TempDir;

TEST(Npy, WhatIsWrittenIsRead) {
  const TempDir dir;
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{}, {3}, {2, 3, 4, 5}, {1, 1000000, 1, 1}, {4, 0}}) {
    std::int64_t count = 1;
    for (std::int64_t axis : shape) count *= axis;
    std::vector<float> data(static_cast<std::size_t>(count));
    std::iota(data.begin(), data.end(), -2.5f);
    const std::string bytes = npy_bytes(shape, data);
    EXPECT_EQ((bytes.size() - data.size() * sizeof(float)) % 64, 0U);
    const NpyArray read = read_npy(dir.write("a.npy", bytes));
    EXPECT_EQ(read.shape, shape);
    EXPECT_EQ(read.data, data);
  }
}

TEST(Npy, OthersAreRefusedByName) {
  const TempDir dir;
  const std::vector<float> data(6, 1.0f);
  const std::string good = npy_bytes(std::vector<std::int64_t>{2, 3}, data);
  const auto refused = [&](std::string from, const std::string& to, const std::string& about) {
    std::string bytes = good;
    if (!from.empty()) bytes.replace(bytes.find(from), from.size(), to);
    try {
      read_npy(dir.write("a.npy", bytes));
      ADD_FAILURE() << about;
    } catch (const Error& e) {
      EXPECT_TRUE(test::contains(e.what(), about) && test::contains(e.what(), "a.npy")) << e.what();
    }
  };
  refused("<f4", "<f8", "float32");
  refused("False", "True ", "Fortran order");
  refused("(2,3,)", "(2,4,)", "what its shape");
  refused("(2,3,)", "(2,-3)", "its shape is");
  refused("'shape'", "'shake'", "no 'shape'");
  refused("NUMPY", "NUMPI", "not a .npy file");
  refused("\x93", "\x92", "not a .npy file");
  EXPECT_THROW(read_npy(dir.write("cut.npy", good.substr(0, good.size() - 4))), Error);
  EXPECT_THROW(read_npy(dir.write("cut.npy", good.substr(0, 40))), Error);
  EXPECT_THROW(read_npy(dir.write("empty.npy", "")), Error);
  EXPECT_THROW(read_npy(dir.file("absent.npy")), Error);
}

/// A graph with two inputs and two outputs: x + y, and y alone.
const char* const two = R"({"format": "opsched-graph", "version": 1, "name": "two", "batch": 1, "operators": [
{"name": "x", "shape": [1, 2, 2]}, {"name": "y", "shape": [1, 2, 2]},
{"name": "sum", "inputs": [[["x", 0, 1], ["y", 0, 1]]], "layers": []},
{"name": "same", "inputs": [[["y", 0, 1]]], "layers": []}]})";

TEST(Infer, TakesInputsAndGivesOutputsByName) {
  const TempDir dir;
  const auto file = [&](const std::string& name) { return dir.file(name); };
  const auto array = [&](const std::string& name, float value) {
    return dir.write(name, npy_bytes(std::vector<std::int64_t>{1, 1, 2, 2}, std::vector<float>(4, value)));
  };
  const std::string infer = "infer --graph " + dir.write("two.json", two);
  const std::string x = array("x.npy", 1), y = array("y.npy", 10);
  const auto run = test::run_program(infer + " --input y=" + y + " --input x=" + x + " -o same=" + file("same.npy") +
                                     " -o sum=" + file("sum.bin"));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(read_npy(file("same.npy")).data, std::vector<float>(4, 10));
  EXPECT_EQ(read_npy(file("same.npy")).shape, (std::vector<std::int64_t>{1, 1, 2, 2}));
  EXPECT_EQ(read_file(file("sum.bin")).size(), 16U);
  // By position, and all outputs in one file.
  ASSERT_EQ(test::run_program(infer + " --input " + x + " --input " + y + " -o " + file("all.bin")).code, 0);
  EXPECT_EQ(read_file(file("all.bin")).substr(0, 16), read_file(file("sum.bin")));
  EXPECT_EQ(read_file(file("all.bin")).size(), 32U);
  for (const auto& [words, about] :
       {std::pair{" --input z=" + x, "x, y"},
        {" --input x=" + x, "x, y"},
        {" --input " + x + " --input x=" + x, "twice"},
        {" -o " + file("a.npy"), "NAME=FILE"},
        {" -o z=" + file("z"), "sum, same"},
        {" --precision fp16", "--device gpu"},
        {" --input x=" + x +
             " --input y=" + dir.write("w.npy", npy_bytes(std::vector<std::int64_t>{4}, std::vector<float>(4))),
         "1x1x2x2"}}) {
    const auto refused = test::run_program(infer + words);
    EXPECT_EQ(refused.code, 2) << words;
    EXPECT_TRUE(test::contains(refused.err, about)) << refused.err;
  }
}

TEST(Infer, ASchedulesNumbersAreThoseOfTheReference) {
  const TempDir dir;
  const std::string schedule = dir.file("s.json"), profile = " --device sim --profile " + test::made_up_profile();
  ASSERT_EQ(test::run_program("schedule squeezenet --scheduler dataflow -o " + schedule + profile).code, 0);
  const std::string infer = "infer squeezenet --batch 2 -o ";
  ASSERT_EQ(test::run_program(infer + dir.file("a.npy")).code, 0);
  ASSERT_EQ(test::run_program(infer + dir.file("b.npy") + " --schedule " + schedule).code, 0);
  const NpyArray a = read_npy(dir.file("a.npy")), b = read_npy(dir.file("b.npy"));
  EXPECT_EQ(a.shape, (std::vector<std::int64_t>{2, 1000, 1, 1}));
  EXPECT_LT(relative_error({2, {1000, 1, 1}, a.data}, {2, {1000, 1, 1}, b.data}), 1e-5);
}

TEST(Inference, NamesItsInputsAndOutputs) {
  Graph graph("g");
  const OpId x = graph.add_input("x", {1, 2, 2}), y = graph.add_input("y", {2, 2, 2});
  graph.add("join", {graph.all(x), graph.all(y)}, {});
  graph.end_block("all");
  graph.set_output_names({"both"});
  Schedule schedule;
  schedule.devices.resize(1);
  schedule.devices[0].stages = {{.groups = {{2}}}};
  const auto model = make_cpu_inference(graph, schedule);
  EXPECT_EQ(model->input("y"), 1U);
  EXPECT_EQ(model->output("both"), 0U);
  EXPECT_EQ(model->outputs()[0].size(), 12U);
  EXPECT_THROW(model->input("z"), Error);
  EXPECT_THROW(model->run({}, {}), Error);
  EXPECT_THROW(graph.set_output_names({"a", "b"}), Error);
  const std::vector<float> a(4, 1), b(8, 2);
  std::vector<float> out(12);
  for (int again = 0; again < 2; ++again) {
    model->run({a.data(), b.data()}, {out.data()});
    EXPECT_EQ(out, (std::vector<float>{1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2}));
  }
}

}  // namespace
}  // namespace opsched
