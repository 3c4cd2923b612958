// Started by mpirun. Every network, at a small image size, under every scheduler for several devices, is executed by
// all processes and must give bitwise the same outputs as in one process. Process 0 prints and sets the exit code.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/processes/mpi/mpi_group.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/distributed/distributed_executor.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/test_cost.hpp"

namespace {

using namespace opsched;

std::vector<Graph> graphs() {
  std::vector<Graph> all{test::RandomCnn(3).draw(3)};  // small enough for exact search
  for (const auto& [name, image] :
       {std::pair("squeezenet", 32), {"inception_v3", 80}, {"nasnet", 32}, {"randwire", 32}})
    all.push_back(make_network(name, {.image = {image, image}}));
  return all;
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, 5 + inputs.size()));
  return inputs;
}

void require_equal(const std::vector<Tensor>& here, const std::vector<Tensor>& expected) {
  if (here.size() != expected.size()) throw Error("another number of outputs");
  for (std::size_t i = 0; i < here.size(); ++i)
    if (here[i].shape != expected[i].shape || here[i].data != expected[i].data)
      throw Error("output " + std::to_string(i) + " differs");
}

/// Number of schedules compared.
int check(ProcessGroup& processes, PartRuntime& runtime, const Graph& graph) {
  int compared = 0;
  const std::vector<Tensor> inputs = inputs_of(graph);
  test::TestCost cost(graph, 1);
  for (const SchedulerInfo& info : schedulers()) {
    if (info.max_devices == 1) continue;
    if (info.max_operators > 0 && static_cast<int>(graph.units().size()) > info.max_operators) continue;
    const int devices = processes.size() + compared % 2;  // one device per process, or two for some
    try {
      const Schedule schedule = make_schedule(info.name, {.cost = cost, .devices = devices, .options = {}});
      const auto executor = make_distributed_executor(processes, runtime,
                                                      {.back_end = runtime.name(),
                                                       .graph = graph,
                                                       .schedule = schedule,
                                                       .process_of = spread_devices(devices, processes.size())});
      require_equal(executor->run(inputs), make_cpu_executor(graph, schedule, 1)->run(inputs));
    } catch (const Error& e) {
      throw Error(graph.name() + ", " + info.name + " on " + std::to_string(devices) + " devices: " + e.what());
    }
    ++compared;
  }
  return compared;
}

}  // namespace

int main() {
  const std::unique_ptr<ProcessGroup> processes = make_mpi_group({});
  const std::unique_ptr<PartRuntime> runtime = make_cpu_parts(*processes);
  try {
    if (!processes->leads()) {
      follow_orders(*processes,
                    part_handlers(*processes, [&](const PartRequest&) -> PartRuntime& { return *runtime; }));
      return 0;
    }
    int compared = 0;
    for (const Graph& graph : graphs()) compared += check(*processes, *runtime, graph);
    end_orders(*processes);
    std::printf("%d schedules of %d processes compute what one process does\n", compared, processes->size());
    return compared >= 5 * 5 && processes->size() > 1 ? 0 : 1;
  } catch (const std::exception& e) {
    processes->fail(e.what());
    if (processes->leads()) std::fprintf(stderr, "%s\n", e.what());
    std::fflush(stderr);
    processes->end_all(1);
  }
}
