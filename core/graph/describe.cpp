#include "core/graph/describe.hpp"

#include "core/graph/operations.hpp"
#include "core/names.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

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
          fixed(static_cast<double>(macs) / 1e6, 1),
          fixed(static_cast<double>(operations) / 1e6, 1),
          fixed(4e-6 * static_cast<double>(parameters), 2),
          fixed(4e-6 * static_cast<double>(elements), 2),
          to_string(graph.op(ops.back()).output)};
}

std::string operator_table(const Graph& graph) {
  TextTable table({Align::left, Align::left, Align::right, Align::right, Align::right, Align::left});
  table.add({"operator", "kind", "MMAC", "input", "output", "layers"});
  for (OpId id = 0; id < graph.size(); ++id) {
    const Operator& op = graph.op(id);
    table.add({op.name, kind_name(op), fixed(static_cast<double>(graph.macs(id)) / 1e6, 1), to_string(op.input),
               to_string(op.output), joined(op.layers, [](const Layer& layer) { return describe(layer); })});
  }
  return table.text();
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
  if (const auto* d = std::get_if<DepthToSpace>(&layer)) return "depth to space " + pair_text(d->block);
  if (const auto* r = std::get_if<PixelRow>(&layer))
    return "pixels from " + std::to_string(r->begin) + " of a row of " + std::to_string(r->width);
  if (const auto* s = std::get_if<Softmax>(&layer)) return "softmax over " + std::to_string(s->size);
  if (const auto* n = std::get_if<Normalize>(&layer))
    return std::string("normalize ") + (n->per_pixel ? "pixels" : "images") +
           (n->groups > 1 ? " in " + std::to_string(n->groups) + " groups" : "");
  return to_string(std::get<Activate>(layer).act);
}

std::string describe(const Graph& graph, bool operators) {
  std::string text = "graph " + graph.name() + ", batch " + std::to_string(graph.batch());
  for (OpId id : graph.inputs()) text += ", input " + graph.op(id).name + " " + to_string(graph.op(id).output);
  for (OpId id : graph.outputs()) text += ", output " + graph.op(id).name + " " + to_string(graph.op(id).output);
  text = wrapped(text) + "\n" + counted(graph.units().size(), "unit") + " in " +
         counted(graph.blocks().size(), "block") + "; for one image " +
         significant(static_cast<double>(graph.macs()) / 1e9, 4) + " GMAC in convolutions,\n" +
         significant(static_cast<double>(ios_operations(graph)) / 1e9, 4) +
         " GMAC as IOS counts (with biases, sums, pools and activations)\n\n";
  TextTable table({Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::left});
  table.add({"block", "units", "conv MMAC", "IOS MMAC", "weights MB", "outputs MB", "output"});
  for (const Block& block : graph.blocks()) {
    table.add(row(graph, block.name, block.ops));
    for (std::size_t p = 0; p < block.parts.size(); ++p)
      table.add(row(graph, "  part " + std::to_string(p + 1), block.parts[p]));
  }
  if (!graph.units().empty()) table.add(row(graph, "all", graph.units()));
  text += table.text();
  if (operators) text += "\n" + operator_table(graph);
  return text;
}

}  // namespace opsched
