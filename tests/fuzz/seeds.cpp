// Writes the fuzzers' seed inputs: fuzz_seeds FOLDER makes FOLDER/TARGET/....
#include <cmath>
#include <iostream>

#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/onnx/onnx_export.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/records/record.hpp"
#include "networks/dag_file.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/every_layer.hpp"
#include "tests/support/onnx_writer.hpp"

namespace {

using namespace opsched;

std::string onnx_model() {
  test::OnnxWriter m;
  m.input("x", {1, 2, 6, 6}).floats("w", {4, 2, 3, 3}, std::vector<float>(72, 0.5f)).floats("b", {4}, {1, 2, 3, 4});
  m.node("Conv", {"x", "w", "b"}, {"c"}, {{"pads", test::OnnxWriter::Dims{1, 1, 1, 1}}});
  m.node("Relu", {"c"}, {"r"}).node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", test::OnnxWriter::Dims{2, 2}}});
  m.node("GlobalAveragePool", {"p"}, {"g"}).node("Identity", {"w"}, {"v"}).node("Conv", {"x", "v"}, {"e"});
  m.integers("s", {1, 4}).node("Reshape", {"g", "s"}, {"f"}).external("far", {4}, "weights.bin", 0);
  return m.output("f").output("e").bytes();
}

/// ONNX nodes that the importer combines or treats specially.
std::string onnx_patterns() {
  using Dims = test::OnnxWriter::Dims;
  test::OnnxWriter m(18);
  m.input("x", {1, 4, 4, 4}).floats("w", {4, 2, 3, 3}, std::vector<float>(72, 0.5f)).floats("c", {4}, {1, 2, 3, 4});
  m.floats("two", {}, {2}).floats("half", {}, {0.5f}).floats("one", {}, {1}).floats("root", {}, {1.4142135f});
  m.integers("channels", {1}).floats("low", {}, {-HUGE_VALF}).floats("scale", {4}, {1, 1, 2, 1.5f});
  m.node("ConvTranspose", {"x", "w"}, {"t"}, {{"strides", Dims{2, 1}}, {"pads", Dims{1, 0, 0, 1}}});
  m.node("InstanceNormalization", {"x", "c", "c"}, {"i"}).node("Resize", {"i", "", "scale"}, {"r"});
  m.node("ReduceMean", {"x", "channels"}, {"mean"}).node("Sub", {"x", "mean"}, {"centred"});
  m.node("Pow", {"centred", "two"}, {"squares"}).node("ReduceMean", {"squares", "channels"}, {"variance"});
  m.node("Add", {"variance", "half"}, {"v"}).node("Sqrt", {"v"}, {"d"}).node("Div", {"centred", "d"}, {"n"});
  m.node("Div", {"n", "root"}, {"s"}).node("Erf", {"s"}, {"e"}).node("Add", {"e", "one"}, {"a"});
  m.node("Mul", {"n", "a"}, {"b"}).node("Mul", {"b", "half"}, {"gelu"});
  m.node("Transpose", {"gelu"}, {"last"}, {{"perm", Dims{0, 2, 3, 1}}}).floats("m", {4, 4}, std::vector<float>(16, 1));
  m.node("LayerNormalization", {"last", "c", "c"}, {"l"}).node("MatMul", {"l", "m"}, {"p"});
  m.node("Transpose", {"p"}, {"q"}, {{"perm", Dims{0, 3, 1, 2}}}).node("Softmax", {"q"}, {"soft"}, {{"axis", 1}});
  m.node("DepthToSpace", {"soft"}, {"wide"}, {{"blocksize", 2}})
      .node("SpaceToDepth", {"wide"}, {"deep"}, {{"blocksize", 2}});
  m.node("Split", {"deep"}, {"left", "right"}, {{"axis", 1}, {"num_outputs", 2}})
      .node("Concat", {"right", "left"}, {"j"});
  m.node("GlobalMaxPool", {"j"}, {"top"}).node("HardSigmoid", {"top"}, {"gate"}).node("Mul", {"j", "gate"}, {"gated"});
  m.integers("pads", {0, 0, 1, 1, 0, 0, 1, 1}).node("Pad", {"gated", "pads", "low"}, {"padded"});
  m.node("MaxPool", {"padded"}, {"pooled"}, {{"kernel_shape", Dims{3, 3}}});
  m.integers("from", {3, 1}).integers("to", {4, 9}).integers("axes", {1, 3}).integers("steps", {1, 2});
  m.node("Slice", {"x", "from", "to", "axes", "steps"}, {"cut"});
  return m.output("t").output("r").output("pooled").output("cut").bytes();
}

std::string profile_text(bool journal) {
  const DeviceFacts facts{.name = "A GPU", .compute_capability = 90, .multiprocessors = 2, .driver = "1", .cuda = "1"};
  const std::string path = fuzz::folder() + "/seed.json";
  Profile profile = Profile::open(path, facts, Precision::fp32);
  const Graph small = fuzz::small_graph();
  for (const OpId op : small.units())
    profile.record_stage(StageSigner(small).stage({Strategy::concurrent, {{op}}}), {0.5, 0.01, 9});
  profile.record_transfer(0, 1, 1024, {0.25, 0.01, 9});
  profile.record_schedule("0123", "4567", {{0.5, 0.01, 9}, {.network = "small", .scheduler = "sequential"}, "text"});
  profile.set_calibration("launch_ms", 0.001);
  if (journal) return "j" + read_file(path + ".journal");
  profile.save(path);
  return "p" + read_file(path);
}

std::string records_text() {
  records::Record record;
  record.what.network = "small";
  record.value = 0.5;
  record.unit = "ms";
  record.spread = records::Spread{};
  record.numbers["bound_ms"] = 0.25;
  record.series["rounds_ms"] = {1, 2};
  record.run = "r";
  record.time = "2026-01-01T00:00:00Z";
  std::string text;
  for (const std::string& line :
       {records::first_line(), to_line(records::Run{.id = "r", .device = "A GPU", .driver = "1"}), to_line(record),
        to_line(records::ScheduleLine{.schedule = "s", .graph = "g", .text = "t"}),
        to_line(records::KernelsLine{.id = "k", .choices = {{"problem", "kernel"}}}),
        to_line(records::EndLine{.run = "r"})})
    text += line + "\n";
  return text;
}

Schedule schedule_of(const Graph& graph, Mode mode) {
  Schedule schedule;
  schedule.graph = graph.name();
  schedule.scheduler = "seed";
  schedule.mode = mode;
  schedule.devices.resize(1);
  for (const OpId op : graph.units()) {
    schedule.devices[0].stages.push_back({.strategy = Strategy::concurrent, .groups = {{op}}});
    schedule.launch_order.push_back(op);
  }
  return schedule;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: fuzz_seeds FOLDER\n", 2;
  const auto write = [&](const std::string& name, const std::string& text) {
    write_file_atomically(std::string(argv[1]) + "/" + name, text);
  };
  const Graph small = fuzz::small_graph();
  write("graph/ours.json", graph_to_json(small));
  write("graph/ios.json", graph_to_ios_json(small));
  const Graph layers = test::every_layer();
  write("graph/layers.json", graph_to_json(layers));
  write("onnx/model.onnx", onnx_model());
  write("onnx/patterns.onnx", onnx_patterns());
  write("onnx/layers.onnx", export_onnx(layers, [&](OpId op, int layer) {
          const auto& conv = std::get<Conv2d>(layers.op(op).layers[layer]);  // the first layer
          const int taps = layers.op(op).input.c / conv.groups * conv.kernel[0] * conv.kernel[1];
          return ConvWeights{std::vector<float>(conv.out_channels * taps, 0.5f),
                             std::vector<float>(conv.out_channels, 1.0f)};
        }));
  write("schedule/barrier.json", schedule_to_json(small, schedule_of(small, Mode::barrier)));
  write("schedule/dataflow.json", schedule_to_json(small, schedule_of(small, Mode::dataflow)));
  write("records/records.jsonl", records_text());
  write("profile/journal", profile_text(true));
  write("profile/profile", profile_text(false));
  write("dag/dag.txt", "3\n0 1 0.5\n1 2.5 1\n2 0.25 0.1\n2\n0 1 0.5\n1 2 0\n");
  write("sweep/common.json", R"({"precisions": ["fp16", "tf32"], "batches": [1, 4], "entries": [
    {"networks": ["squeezenet", "nasnet"], "schedulers": ["ios-both,r=2,s=3", "sequential"]},
    {"networks": ["inception_v3"], "schedulers": ["hios-lp", "heft,split=rows"], "gpus": [2, 4], "batches": [8]}]})");
  write("sweep/graphs.json", R"({"entries": [
    {"graphs": ["small.json", "s*.json"], "precisions": ["fp32"], "images": [0, 96, "64x96"]}, {"gpus": [2]}, {}]})");
  // Two faults of the past: a name that the file system refuses, and lists with too many combinations.
  write("sweep/long.json", R"({"entries": [{"graphs": [")" + std::string(300, 'a') + R"("]}]})");
  std::string numbers = "1";
  for (int i = 2; i < 300; ++i) numbers += "," + std::to_string(i);
  write("sweep/many.json", R"({"entries":[{"batches":[)" + numbers + R"(],"images":[)" + numbers + "]}]}");
  write("edge_list/edges.txt", "4\n4\n0 1\n0 2\n1 3\n2 3\n");
}
