#include "core/graph/strips.hpp"

#include <algorithm>
#include <variant>

#include "core/error.hpp"

namespace opsched {
namespace {

std::string text(const Range& rows) { return "[" + std::to_string(rows.begin) + ", " + std::to_string(rows.end) + ")"; }

/// Why a layer's output rows cannot be computed from some of its input rows; empty if they can.
std::string reads_all_rows(const Layer& layer) {
  if (const auto* pool = std::get_if<Pool2d>(&layer))
    return pool->type == PoolType::global_avg ? "averages the whole image" : "";
  if (std::holds_alternative<Resize2d>(layer)) return "resizes the image";
  if (std::holds_alternative<DepthToSpace>(layer)) return "turns channels into pixels";
  if (std::holds_alternative<PixelRow>(layer)) return "puts all pixels into one row";
  const auto* normalize = std::get_if<Normalize>(&layer);
  return normalize && !normalize->per_pixel ? "normalises over the whole image" : "";
}

/// Input shape of each layer.
std::vector<Shape> shapes_before(const Operator& op) {
  std::vector<Shape> shapes;
  Shape shape = op.input;
  for (const Layer& layer : op.layers) {
    shapes.push_back(shape);
    shape = infer_shape(layer, shape);
  }
  return shapes;
}

/// Is it one window that covers an image of this shape, without padding?
bool is_global(const Layer& layer, const Shape& in) {
  const auto* pool = std::get_if<Pool2d>(&layer);
  if (!pool) return false;
  if (pool->type == PoolType::global_avg) return true;
  constexpr std::array none{0, 0}, one{1, 1};
  return pool->kernel == std::array{in.h, in.w} && pool->padding == none && pool->more_padding == none &&
         pool->dilation == one;
}

/// The pool that a strip of a global pool applies to these rows of the image.
Pool2d part_of_global(const Pool2d& pool, const Shape& in, const Range& rows) {
  if (pool.type == PoolType::max) return {.type = PoolType::max, .kernel = {rows.size(), in.w}};
  // The window covers the whole image; the rows outside the strip count as zeros.
  return {.type = PoolType::avg,
          .kernel = {in.h, in.w},
          .padding = {rows.begin, 0},
          .more_padding = {in.h - rows.end - rows.begin, 0}};
}

/// Input rows (of `height`) that a window reads for these output rows. Sets the window's padding to what is still
/// needed.
template <class Window>
Range through(Window& window, int height, const Range& out) {
  const Range all{
      out.begin * window.stride[0] - window.padding[0],
      (out.end - 1) * window.stride[0] - window.padding[0] + window.dilation[0] * (window.kernel[0] - 1) + 1};
  const Range rows = common(all, {0, height});
  if (rows.empty()) throw Error("rows " + text(out) + " depend on padding alone");
  window.padding[0] = rows.begin - all.begin;
  window.more_padding[0] = all.end - rows.end - window.padding[0];
  return rows;
}

}  // namespace

bool ends_in_global_pool(const Operator& op) {
  return !op.layers.empty() && is_global(op.layers.back(), shapes_before(op).back());
}

Pool2d pool_of_strips(int strips) { return {.type = PoolType::max, .kernel = {strips, 1}}; }

Strip strip_of(const Operator& op, Range rows) {
  const std::vector<Shape> before = shapes_before(op);
  Strip strip{rows, op.layers};
  std::size_t layers = op.layers.size();
  if (ends_in_global_pool(op)) {
    --layers;
    strip.layers.back() = part_of_global(std::get<Pool2d>(op.layers.back()), before.back(), rows);
  }
  for (std::size_t i = layers; i-- > 0;) {
    Layer& layer = strip.layers[i];
    if (const std::string why = reads_all_rows(layer); !why.empty()) throw Error(why);
    if (auto* conv = std::get_if<Conv2d>(&layer)) strip.reads = through(*conv, before[i].h, strip.reads);
    if (auto* pool = std::get_if<Pool2d>(&layer)) strip.reads = through(*pool, before[i].h, strip.reads);
  }
  return strip;
}

int extent(const Operator& op, int batch, Along along) {
  if (along == Along::images) return batch;
  return ends_in_global_pool(op) ? shapes_before(op).back().h : op.output.h;
}

std::string why_whole(const Graph& graph, OpId id, Along along) {
  const Operator& op = graph.op(id);
  if (!op.is_unit()) return "is no operator that computes";
  if (graph.strip(id) >= 0) return "is a strip";
  if (extent(op, graph.batch(), along) < 2) return along == Along::images ? "computes one image" : "has one row";
  if (along == Along::images) return "";
  const std::size_t layers = op.layers.size() - (ends_in_global_pool(op) ? 1 : 0);
  for (std::size_t i = 0; i < layers; ++i)
    if (const std::string why = reads_all_rows(op.layers[i]); !why.empty()) return why;
  return "";
}

Split even_split(const Graph& graph, OpId id, int strips, int multiple, Along along) {
  const int all = extent(graph.op(id), graph.batch(), along);
  if (all / multiple < strips) multiple = 1;
  strips = std::min(strips, all);
  Split split{.op = id, .begins = {}, .along = along};
  const int units = all / multiple;
  for (int i = 1; i < strips; ++i)
    split.begins.push_back(static_cast<int>(std::int64_t{units} * i / strips) * multiple);
  return split;
}

Range range_of(const Split& split, std::size_t i, int extent) {
  return {i == 0 ? 0 : split.begins[i - 1], i == split.begins.size() ? extent : split.begins[i]};
}

}  // namespace opsched
