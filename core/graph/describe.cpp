#include "core/graph/describe.hpp"

#include <cstdio>

#include "core/graph/operations.hpp"

namespace opsched {
namespace {

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

/// Columns as wide as their widest cell; numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// The first `left` columns and the last one are aligned to the left.
  std::string text(std::size_t left) const {
    std::vector<std::size_t> width(rows_.front().size(), 0);
    for (const auto& row : rows_)
      for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string space(width[i] - row[i].size(), ' ');
        line += (i ? "  " : "") + (i < left || i + 1 == row.size() ? row[i] + space : space + row[i]);
      }
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string pair_text(const std::array<int, 2>& p) {
  return p[0] == p[1] ? std::to_string(p[0]) : std::to_string(p[0]) + "x" + std::to_string(p[1]);
}

template <class Window>
std::string window_text(const Window& w) {
  std::string text = " " + std::to_string(w.kernel[0]) + "x" + std::to_string(w.kernel[1]);
  if (w.stride != std::array{1, 1}) text += "/" + pair_text(w.stride);
  if (w.padding != std::array{0, 0}) text += " pad " + pair_text(w.padding);
  if (w.more_padding != std::array{0, 0}) text += " and " + pair_text(w.more_padding) + " more at the end";
  if (w.dilation != std::array{1, 1}) text += " dilated " + pair_text(w.dilation);
  return text;
}

std::vector<std::string> row(const Graph& graph, const std::string& name, const std::vector<OpId>& ops) {
  std::int64_t macs = 0, operations = 0, parameters = 0, elements = 0;
  for (OpId id : ops) {
    macs += graph.macs(id);
    operations += ios_operations(graph, id);
    parameters += graph.parameters(id);
    elements += graph.op(id).output.size();
  }
  return {name,
          std::to_string(ops.size()),
          format("%.1f", static_cast<double>(macs) / 1e6),
          format("%.1f", static_cast<double>(operations) / 1e6),
          format("%.2f", 4e-6 * static_cast<double>(parameters)),
          format("%.2f", 4e-6 * static_cast<double>(elements)),
          to_string(graph.op(ops.back()).output)};
}

std::string operator_table(const Graph& graph) {
  Table table({"operator", "kind", "MMAC", "input", "output", "layers"});
  for (OpId id = 0; id < graph.size(); ++id) {
    const Operator& op = graph.op(id);
    std::string layers;
    for (const Layer& layer : op.layers) layers += (layers.empty() ? "" : ", ") + describe(layer);
    table.add({op.name, kind_name(op), format("%.1f", static_cast<double>(graph.macs(id)) / 1e6), to_string(op.input),
               to_string(op.output), layers});
  }
  return table.text(2);
}

}  // namespace

std::string describe(const Layer& layer) {
  if (const auto* c = std::get_if<Conv2d>(&layer))
    return "conv" + window_text(*c) + " -> " + std::to_string(c->out_channels) +
           (c->groups > 1 ? " groups " + std::to_string(c->groups) : "") +
           (c->act == Activation::none ? "" : " " + to_string(c->act));
  if (const auto* p = std::get_if<Pool2d>(&layer)) {
    if (p->type == PoolType::global_avg) return "global average pool";
    const bool partial = p->type == PoolType::avg && !p->count_padding;
    return (p->type == PoolType::max ? "max pool" : "average pool") + window_text(*p) +
           (partial ? " not counted" : "") + (p->ceil ? " round up" : "");
  }
  if (const auto* r = std::get_if<Resize2d>(&layer))
    return (r->interpolation == Interpolation::nearest ? "resize to " : "resize linearly to ") +
           std::to_string(r->size[0]) + "x" + std::to_string(r->size[1]);
  return to_string(std::get<Activate>(layer).act);
}

std::string describe(const Graph& graph, bool operators) {
  std::string text = "graph " + graph.name() + ", batch " + std::to_string(graph.batch());
  for (OpId id : graph.inputs()) text += ", input " + graph.op(id).name + " " + to_string(graph.op(id).output);
  for (OpId id : graph.outputs()) text += ", output " + graph.op(id).name + " " + to_string(graph.op(id).output);
  text += "\n" + std::to_string(graph.units().size()) + " units in " + std::to_string(graph.blocks().size()) +
          " blocks, " + format("%.4g", static_cast<double>(ios_operations(graph)) / 1e9) +
          " GMAC as IOS counts (with biases, sums, pools and activations), " +
          format("%.4g", static_cast<double>(graph.macs()) / 1e9) + " GMAC in convolutions; for one image\n\n";
  Table table({"block", "units", "conv MMAC", "IOS MMAC", "weights MB", "outputs MB", "output"});
  for (const Block& block : graph.blocks()) {
    table.add(row(graph, block.name, block.ops));
    for (std::size_t p = 0; p < block.parts.size(); ++p)
      table.add(row(graph, "  part " + std::to_string(p + 1), block.parts[p]));
  }
  if (!graph.units().empty()) table.add(row(graph, "all", graph.units()));
  text += table.text(1);
  if (operators) text += "\n" + operator_table(graph);
  return text;
}

}  // namespace opsched
