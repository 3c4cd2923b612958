// ONNX models: imported, run, and compared with the results of ONNX's reference evaluator.
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/blocks.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/onnx/onnx_import.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/test_cost.hpp"

namespace opsched {
namespace {

const std::string folder = OPSCHED_TEST_DATA "/onnx";

Graph model(const std::string& name) { return load_graph(folder + "/" + name + ".onnx"); }

/// Runs the model on the input in its .txt file and compares all outputs with those in the file.
void expect_outputs(const std::string& name, double tolerance) {
  const Graph graph = model(name);
  std::ifstream file(folder + "/" + name + ".txt");
  const auto line = [&](Shape shape) {
    std::string text;
    std::getline(file, text);
    std::istringstream values(text);
    Tensor tensor{1, shape, {std::istream_iterator<float>(values), {}}};
    EXPECT_EQ(tensor.data.size(), static_cast<std::size_t>(shape.size())) << name;
    return tensor;
  };
  const Tensor input = line(graph.op(graph.inputs().front()).output);
  const std::vector<Tensor> outputs = reference_outputs(graph, {input}, 1);
  ASSERT_EQ(outputs.size(), graph.outputs().size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    EXPECT_LT(relative_error(outputs[i], line(outputs[i].shape)), tolerance) << name << ", output " << i;
}

TEST(Onnx, OutputsAreThoseOfTheReferenceEvaluator) {
  expect_outputs("everything", 1e-6);
  expect_outputs("flatten", 1e-6);
  expect_outputs("external", 1e-6);
  expect_outputs("half", 2e-3);
}

TEST(Onnx, NeighboursAreFused) {
  const Graph graph = model("everything");
  const auto layers = [&](const std::string& name) {
    const OpId id = graph.find(name);
    EXPECT_GE(id, 0) << name;
    return id < 0 ? std::vector<Layer>{} : graph.op(id).layers;
  };
  EXPECT_EQ(layers("conv1"),
            std::vector<Layer>{(Conv2d{
                .out_channels = 4, .kernel = {3, 3}, .stride = {2, 1}, .padding = {1, 1}, .act = Activation::relu})});
  EXPECT_EQ(layers("conv2"),
            std::vector<Layer>{(
                Conv2d{.out_channels = 6, .kernel = {1, 3}, .padding = {0, 1}, .groups = 2, .act = Activation::tanh})});
  EXPECT_EQ(layers("pool1"), std::vector<Layer>{(Pool2d{.kernel = {3, 3}, .stride = {2, 2}, .ceil = true})});
  EXPECT_EQ(layers("sum"), std::vector<Layer>{Activate{}});
  EXPECT_TRUE(layers("sum3").empty());
  // conv3 is read twice, so nothing may be fused after it. It begins with bn2, which reads a join.
  EXPECT_EQ(layers("conv3"), (std::vector<Layer>{Conv2d{.out_channels = 14, .groups = 14, .act = Activation::relu},
                                                 Conv2d{.out_channels = 4}}));
  for (const char* gone : {"bn1", "bn2", "relu1", "relu2", "dropout", "identity", "reshape", "shape"})
    EXPECT_LT(graph.find(gone), 0) << gone;
  EXPECT_EQ(graph.name(), "everything");
  EXPECT_EQ(graph.batch(), 1);
}

TEST(Onnx, OutputsThatAreReadInsideStayOutputs) {
  const Graph graph = model("flatten");
  ASSERT_EQ(graph.outputs().size(), 2u);
  EXPECT_EQ(graph.op(graph.outputs()[0]).name, "hidden_output");
  EXPECT_TRUE(graph.op(graph.outputs()[0]).is_join());
  EXPECT_EQ(graph.op(graph.outputs()[1]).output, (Shape{3, 1, 1}));
  EXPECT_LT(graph.find("unused"), 0);
}

TEST(Onnx, WeightsStayWithTheGraph) {
  const Graph graph = model("everything");
  const Graph batched = graph.with_batch(4);
  for (OpId id : graph.units()) {
    for (std::size_t layer = 0; layer < graph.op(id).layers.size(); ++layer) {
      const bool conv = std::holds_alternative<Conv2d>(graph.op(id).layers[layer]);
      const ConvWeights* weights = graph.weights(id, static_cast<int>(layer));
      EXPECT_EQ(weights != nullptr, conv);
      EXPECT_EQ(batched.weights(id, static_cast<int>(layer)), weights);
      if (conv) {
        EXPECT_EQ(make_weights(graph, id, static_cast<int>(layer), 7).weight, weights->weight);
      }
    }
  }
  Graph other = parse_graph(graph_to_json(graph), "json");
  EXPECT_EQ(other.weights(graph.find("conv1"), 0), nullptr);
  EXPECT_THROW(other.set_weights(std::make_shared<WeightTable>()), Error);
}

TEST(Onnx, EverySchedulerTakesThem) {
  const Graph graph = model("everything");
  const std::vector<Tensor> inputs = {random_tensor(1, graph.op(graph.inputs().front()).output, 5)};
  const std::vector<Tensor> expected = reference_outputs(graph, inputs, 1);
  test::TestCost cost(graph);
  for (const SchedulerInfo& info : schedulers()) {
    if (info.max_operators > 0 && static_cast<int>(graph.units().size()) > info.max_operators) continue;
    const Schedule schedule = make_schedule(info.name, {.cost = cost, .devices = 1, .options = {}, .progress = {}});
    const std::vector<Tensor> outputs = make_cpu_executor(graph, schedule, 1)->run(inputs);
    EXPECT_LT(relative_error(outputs.at(0), expected.at(0)), 1e-6) << info.name;
  }
}

TEST(Onnx, TheProgramComputesTheOutputs) {
  const test::TempDir dir;
  std::ifstream file(folder + "/everything.txt");
  std::string line;
  std::getline(file, line);
  std::istringstream text(line);
  const std::vector<float> image{std::istream_iterator<float>(text), {}};
  const std::string input =
      dir.write("in.bin", std::string(reinterpret_cast<const char*>(image.data()), image.size() * sizeof(float)));
  const std::string output = dir.path() / "out.bin";
  const std::string command = "infer --graph " + folder + "/everything.onnx --input " + input;
  const auto run = test::run_program(command + " --output " + output);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out.find("probabilities  1x5x1x1  mean "), 0u) << run.out;
  EXPECT_EQ(std::filesystem::file_size(output), 5 * sizeof(float));
  std::vector<float> got(5);
  std::ifstream(output, std::ios::binary).read(reinterpret_cast<char*>(got.data()), 5 * sizeof(float));
  std::getline(file, line);
  text = std::istringstream(line);
  for (float value : got) {
    float expected = 0;
    text >> expected;
    EXPECT_NEAR(value, expected, 1e-5);
  }

  const auto short_input = test::run_program(command + " --batch 2");
  EXPECT_EQ(short_input.code, 2);
  EXPECT_NE(short_input.err.find("1728 bytes, but the file has 864"), std::string::npos) << short_input.err;
  const auto unreadable = test::run_program("infer --graph " + input);
  EXPECT_EQ(unreadable.code, 2);
}

// ---- bad models

std::string bytes_of(const std::string& name) { return read_file(folder + "/" + name + ".onnx"); }

void expect_complaint(std::string bytes, const std::string& from, const std::string& to, const std::string& about) {
  const auto at = bytes.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  ASSERT_EQ(from.size(), to.size());
  bytes.replace(at, from.size(), to);
  try {
    import_onnx(bytes, "model", folder);
    ADD_FAILURE() << "accepted: " << to;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(about), std::string::npos) << e.what() << "\nexpected: " << about;
  }
}

TEST(Onnx, BadModelsAreErrorsNamingTheNode) {
  const std::string good = bytes_of("everything");
  expect_complaint(good, "Tanh", "Sinh", "these operators are not supported: Sinh (1 node); supported operators: Add");
  expect_complaint(good, "kernel_shape", "kernel_SHAPE", "node 'pool1' (MaxPool): kernel_shape is missing");
  expect_complaint(good, "SAME_UPPER", "SAME_INNER", "node 'conv2' (Conv): auto_pad 'SAME_INNER' is unknown");
  expect_complaint(good, "group", "GROUP",
                   "node 'conv2' (Conv): reads 4 channels, but its weights are for 2 in each of 1 groups");
  expect_complaint(good, "transB", "transA", "node 'fc' (Gemm): a transposed first input");
  expect_complaint(good, "image", "imagE", "node 'conv1' (Conv): input 'imagE' does not exist or is computed later");
  expect_complaint(good, "bn2_scale", "bn2_SCALE",
                   "node 'bn2' (BatchNormalization): input 'bn2_SCALE' must be a constant");
  expect_complaint(good, "probabilities", "PROBABILITIES", "output 'probabilities' is not computed by any node");
  expect_complaint(good, "axis\x18\x01", "axis\x18\x02",
                   "node 'cat' (Concat): axis 2 of [1, 6, 2, 4] is not an axis of channels");
  expect_complaint(good, std::string(8, '\xff'), std::string(8, '\x03'), "node 'reshape' (Reshape): cannot reshape");
}

TEST(Onnx, DamagedModelsAreErrors) {
  std::mt19937_64 random(17);
  for (const std::string name : {"everything", "flatten", "external"}) {
    const std::string good = bytes_of(name);
    for (std::size_t size = 0; size < good.size(); size += 13) {
      try {
        import_onnx(good.substr(0, size), name, folder);
        ADD_FAILURE() << name << " cut at " << size << " was accepted";
      } catch (const Error&) {
      }
    }
    int refused = 0;
    for (int trial = 0; trial < 2000; ++trial) {
      std::string damaged = good;
      for (int flips = 1 + trial % 3; flips > 0; --flips)
        damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
      try {
        import_onnx(damaged, name, folder);
      } catch (const Error&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 100);
  }
}

TEST(Onnx, ExternalDataStaysInTheModelsFolder) {
  const std::string good = bytes_of("external");
  expect_complaint(good, "external.data", "../xernal.dat", "outside the model's folder");
  expect_complaint(good, "external.data", "/xternal.data", "outside the model's folder");
  expect_complaint(good, "external.data", "nowhere.data.", "nowhere.data.");
  EXPECT_THROW(import_onnx(good, "model", folder + "/.."), Error);
}

// ---- blocks

TEST(NaturalBlocks, AreThoseOfTheNetworks) {
  // Each of Inception's own blocks has one operator at its entry and one at its exit.
  const Graph inception = make_network("inception_v3");
  const std::vector<Block> blocks = natural_blocks(inception);
  ASSERT_EQ(blocks.size(), inception.blocks().size());
  for (std::size_t b = 0; b < blocks.size(); ++b) EXPECT_EQ(blocks[b].ops, inception.blocks()[b].ops);
}

}  // namespace
}  // namespace opsched
