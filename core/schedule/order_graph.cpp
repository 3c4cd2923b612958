#include "core/schedule/order_graph.hpp"

#include <algorithm>
#include <tuple>

namespace opsched {
namespace {

/// A vertex before numbering.
struct Vertex {
  int stage, position, device, group;
  std::vector<OpId> operators;
};

std::vector<OpId> round_robin(const Stage& stage) {
  std::vector<OpId> order;
  for (std::size_t position = 0;; ++position) {
    const std::size_t before = order.size();
    for (const Group& group : stage.groups)
      if (position < group.size()) order.push_back(group[position]);
    if (order.size() == before) return order;
  }
}

std::vector<Vertex> vertices_of(const Schedule& schedule) {
  std::vector<Vertex> vertices;
  for (int d = 0; d < static_cast<int>(schedule.devices.size()); ++d) {
    const auto& stages = schedule.devices[d].stages;
    for (int s = 0; s < static_cast<int>(stages.size()); ++s) {
      if (schedule.mode == Mode::barrier || stages[s].strategy == Strategy::merge) {
        vertices.push_back({s, 0, d, 0, round_robin(stages[s])});
        continue;
      }
      for (int g = 0; g < static_cast<int>(stages[s].groups.size()); ++g)
        for (int p = 0; p < static_cast<int>(stages[s].groups[g].size()); ++p)
          vertices.push_back({s, p, d, g, {stages[s].groups[g][p]}});
    }
  }
  std::ranges::sort(vertices, {}, [](const Vertex& v) { return std::tuple(v.stage, v.position, v.device, v.group); });
  return vertices;
}

}  // namespace

OrderGraph order_graph(const Graph& graph, const Schedule& schedule) {
  OrderGraph order;
  std::vector<Vertex> vertices = vertices_of(schedule);
  order.dag = Dag(vertices.size());
  order.vertex_of.assign(graph.size(), -1);
  // The last vertex so far, by device (barrier) or by stream (dataflow). Vertices are sorted by stage and position, so
  // they are in stream order.
  std::vector<std::vector<int>> last(schedule.devices.size());
  for (int v = 0; v < static_cast<int>(vertices.size()); ++v) {
    Vertex& vertex = vertices[v];
    for (OpId op : vertex.operators) order.vertex_of[op] = v;
    auto& streams = last[vertex.device];
    if (static_cast<int>(streams.size()) <= vertex.group) streams.resize(vertex.group + 1, -1);
    int& before = streams[vertex.group];
    if (before >= 0) boost::add_edge(before, v, order.dag);
    before = v;
    order.operators.push_back(std::move(vertex.operators));
  }
  std::vector<int> from;
  for (int v = 0; v < static_cast<int>(order.operators.size()); ++v) {
    from.clear();
    for (OpId op : order.operators[v])
      for (OpId p : graph.preds(op))
        if (order.vertex_of[p] >= 0 && order.vertex_of[p] != v) from.push_back(order.vertex_of[p]);
    std::ranges::sort(from);
    from.erase(std::unique(from.begin(), from.end()), from.end());
    for (int u : from) boost::add_edge(u, v, order.dag);
  }
  return order;
}

}  // namespace opsched
