// Builds a small graph with the installed library; exits with the number of its operators.
#include <core/graph/algorithms.hpp>
#include <core/graph/graph.hpp>
#include <schedulers/scheduler.hpp>

int main() {
  opsched::Graph graph("two");
  const opsched::OpId in = graph.add_input("in", {3, 8, 8});
  const opsched::OpId a = graph.add("a", {graph.all(in)}, {opsched::Conv2d{.out_channels = 4}});
  const opsched::OpId b = graph.add("b", {graph.all(in)}, {opsched::Conv2d{.out_channels = 4}});
  graph.add("join", {graph.all(a), graph.all(b)}, {});
  graph.end_block("all");
  return opsched::to_dag(graph).m_vertices.size() == 4 && !opsched::schedulers().empty() ? 0 : 1;
}
