// A separate program that uses the installed library. It loads a graph file and a schedule once and runs them twice.
// Exits with 0 if the outputs are correct.
#include <core/error.hpp>
#include <core/graph/algorithms.hpp>
#include <core/graph/files/graph_io.hpp>
#include <core/runtime/inference.hpp>
#include <core/schedule/schedule_json.hpp>
#include <schedulers/scheduler.hpp>
#ifdef CONSUMER_WITH_CUDA
#include <core/runtime/cuda/cuda_runtime.hpp>
#endif

#include <cstdio>
#include <fstream>

namespace {

/// y = 2x + 1 at every pixel, twice.
opsched::Graph make_graph() {
  opsched::Graph graph("two");
  const opsched::OpId in = graph.add_input("in", {1, 4, 4});
  const opsched::OpId a = graph.add("a", {graph.all(in)}, {opsched::Conv2d{.out_channels = 1}});
  const opsched::OpId b = graph.add("b", {graph.all(in)}, {opsched::Conv2d{.out_channels = 1}});
  graph.add("join", {graph.all(a), graph.all(b)}, {});
  graph.end_block("all");
  opsched::WeightTable weights;
  for (const opsched::OpId op : {a, b})
    weights[{op, 0}] = std::make_shared<const opsched::ConvWeights>(opsched::ConvWeights{{2}, {1}});
  graph.set_weights(std::make_shared<const opsched::WeightTable>(std::move(weights)));
  return graph;
}

bool computes_right(opsched::Inference& model) {
  std::vector<float> image(model.inputs()[model.input("in")].size()), joined(model.outputs()[0].size());
  for (const float pixel : {3.0f, -5.0f}) {
    image.assign(image.size(), pixel);
    model.run({image.data()}, {joined.data()});
    for (const float value : joined)
      if (value != 2 * pixel + 1) return false;
  }
  return model.outputs()[0].name == "join" && joined.size() == 32;
}

}  // namespace

int main() try {
  const opsched::Graph graph = make_graph();
  opsched::Schedule side_by_side;
  side_by_side.scheduler = "by hand";
  side_by_side.devices.resize(1);
  side_by_side.devices[0].stages = {{.groups = {{1}, {2}}}, {.groups = {{3}}}};
  opsched::save_schedule("schedule.json", graph, side_by_side);
  const opsched::Schedule schedule = opsched::load_schedule("schedule.json", graph);
  std::ofstream("graph.json") << opsched::graph_to_json(graph);
  if (opsched::load_graph("graph.json").size() != graph.size() || opsched::schedulers().empty()) return 1;
  if (!computes_right(*opsched::make_cpu_inference(graph, schedule))) return 2;
#ifdef CONSUMER_WITH_CUDA
  if (!opsched::cuda_devices().usable.empty()) {
    opsched::CudaRuntime runtime({.precision = opsched::Precision::fp32});
    if (!computes_right(*runtime.make_inference(graph, schedule))) return 3;
  }
#endif
  return opsched::to_dag(graph).m_vertices.size() == 4 ? 0 : 1;
} catch (const opsched::Error& e) {
  std::fprintf(stderr, "consumer: %s\n", e.what());
  return 1;
}
