#include "schedulers/ios/part.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "core/error.hpp"

namespace opsched {
namespace {

IosPart make_part(const Graph& graph, const std::string& block, int index, std::vector<OpId> ops) {
  std::ranges::sort(ops);
  IosPart part{.block = block, .index = index, .ops = std::move(ops), .preds = {}, .succs = {}};
  const int n = part.size();
  part.preds.resize(n);
  part.succs.resize(n);
  const auto vertex = [&](OpId id) {
    const auto it = std::ranges::lower_bound(part.ops, id);
    return it != part.ops.end() && *it == id ? static_cast<int>(it - part.ops.begin()) : -1;
  };
  for (int v = 0; v < n; ++v)
    for (OpId s : graph.succs(part.ops[v]))
      if (const int to = vertex(s); to >= 0) {
        part.succs[v].push_back(to);
        part.preds[to].push_back(v);
      }
  part.merge_class.resize(n);
  for (int v = 0; v < n; ++v) {
    part.merge_class[v] = v;
    for (int u = 0; u < v; ++u)
      if (part.merge_class[u] == u && can_merge(graph, std::vector<OpId>{part.ops[u], part.ops[v]})) {
        part.merge_class[v] = u;
        break;
      }
  }
  return part;
}

}  // namespace

std::string IosPart::name() const {
  return "block '" + block + "'" + (index > 0 ? " part " + std::to_string(index) : "");
}

std::vector<IosPart> ios_parts(const Graph& graph, int max_part_size) {
  std::vector<IosPart> parts;
  for (const Block& block : graph.blocks()) {
    int index = 0;
    if (!block.parts.empty()) {
      for (const auto& ops : block.parts) {
        parts.push_back(make_part(graph, block.name, index++, ops));
        parts.back().made = IosPart::Made::named;
      }
      continue;
    }
    for (std::size_t at = 0; at < block.ops.size(); at += max_part_size) {
      const std::size_t end = std::min(block.ops.size(), at + static_cast<std::size_t>(max_part_size));
      parts.push_back(make_part(graph, block.name, index++, {block.ops.begin() + at, block.ops.begin() + end}));
      if (end - at == block.ops.size()) parts.back().made = IosPart::Made::whole_block;
    }
  }
  std::vector<int> part_of(graph.size(), -1);
  for (std::size_t p = 0; p < parts.size(); ++p)
    for (OpId id : parts[p].ops) part_of[id] = static_cast<int>(p);
  for (OpId id : graph.units())
    for (OpId pred : graph.preds(id))
      if (part_of[pred] > part_of[id])
        throw Error(parts[part_of[id]].name() + ": operator '" + graph.op(id).name + "' reads '" + graph.op(pred).name +
                    "' of a later part; order the blocks and parts by what they read");
  return parts;
}

std::pair<IosPart, IosPart> halves(const Graph& graph, const IosPart& part) {
  const int n = part.size();
  int best = n / 2, fewest = n + 1;
  for (int at = std::max(1, n / 3); at <= std::max(1, n - n / 3 - 1); ++at) {
    int passing = 0;  // outputs of the first half read by the second
    for (int v = 0; v < at; ++v) passing += std::ranges::any_of(part.succs[v], [&](int s) { return s >= at; });
    if (passing > fewest || (passing == fewest && std::abs(at - n / 2) >= std::abs(best - n / 2))) continue;
    fewest = passing;
    best = at;
  }
  return {make_part(graph, part.block, part.index, {part.ops.begin(), part.ops.begin() + best}),
          make_part(graph, part.block, part.index, {part.ops.begin() + best, part.ops.end()})};
}

Stage make_stage(const IosPart& part, Strategy strategy, const std::vector<int>& vertices) {
  Stage stage;
  if (strategy == Strategy::merge && vertices.size() > 1) {
    stage.strategy = Strategy::merge;
    stage.groups.emplace_back();
    for (int v : vertices) stage.groups[0].push_back(part.ops[v]);
    return stage;
  }
  // Components by repeated relabelling along edges; stages are small.
  std::vector<int> label(vertices.size());
  std::iota(label.begin(), label.end(), 0);
  for (std::size_t i = 0; i < vertices.size(); ++i)
    for (int s : part.succs[vertices[i]]) {
      const auto it = std::ranges::lower_bound(vertices, s);
      if (it == vertices.end() || *it != s) continue;
      const int a = label[i], b = label[it - vertices.begin()];
      if (a == b) continue;
      for (int& l : label)
        if (l == std::max(a, b)) l = std::min(a, b);
    }
  std::vector<int> group_of(vertices.size(), -1);
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    int& g = group_of[label[i]];
    if (g < 0) {
      g = static_cast<int>(stage.groups.size());
      stage.groups.emplace_back();
    }
    stage.groups[g].push_back(part.ops[vertices[i]]);
  }
  return stage;
}

}  // namespace opsched
