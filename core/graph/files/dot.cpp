#include "core/graph/files/graph_io.hpp"

namespace opsched {
namespace {

std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string node(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  return "n" + std::to_string(id) +
         " [label=" + in_quotes(op.name + "\n" + kind_name(op) + " " + to_string(op.output)) +
         (op.is_input() ? ", shape=ellipse" : "") + "];\n";
}

std::string cluster(const std::string& id, const std::string& label, const std::string& content,
                    const std::string& indent) {
  return indent + "subgraph cluster_" + id + " {\n" + indent + "  label=" + in_quotes(label) + ";\n" + content +
         indent + "}\n";
}

std::string nodes(const Graph& graph, const std::vector<OpId>& ids, const std::string& indent) {
  std::string text;
  for (OpId id : ids) text += indent + node(graph, id);
  return text;
}

}  // namespace

std::string graph_to_dot(const Graph& graph) {
  std::string text = "digraph " + in_quotes(graph.name()) + " {\n  node [shape=box];\n";
  std::vector<char> drawn(graph.size(), 0);
  for (std::size_t b = 0; b < graph.blocks().size(); ++b) {
    const Block& block = graph.blocks()[b];
    for (OpId id : block.ops) drawn[id] = 1;
    std::string content;
    if (block.parts.empty()) content = nodes(graph, block.ops, "    ");
    for (std::size_t p = 0; p < block.parts.size(); ++p)
      content += cluster(std::to_string(b) + "_" + std::to_string(p), "part " + std::to_string(p + 1),
                         nodes(graph, block.parts[p], "      "), "    ");
    text += cluster(std::to_string(b), block.name, content, "  ");
  }
  for (OpId id = 0; id < graph.size(); ++id)
    if (!drawn[id]) text += "  " + node(graph, id);
  for (OpId id = 0; id < graph.size(); ++id)
    for (OpId succ : graph.succs(id)) text += "  n" + std::to_string(id) + " -> n" + std::to_string(succ) + ";\n";
  return text + "}\n";
}

}  // namespace opsched
