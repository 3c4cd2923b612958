// opsched's own JSON format of a graph.
//
//   {"format": "opsched-graph", "version": 1, "name": ..., "batch": ...,
//    "operators": [{"name", "shape": [C, H, W]}                              an input, or
//                  {"name", "inputs", "layers", "output": [C, H, W]}, ...],
//    "blocks": [{"name", "operators": [name, ...], "parts": [[name, ...], ...]}, ...]}
//
// "inputs" is a list of terms, which are concatenated ("combine": "product": multiplied). A term is a list of values,
// which are added. A value is [name, begin, end), in channels. "output", "parts" and "blocks" are optional. A layer has
// a "type" and fields as in core/graph/operator.hpp; fields with a default there are optional.
#include "core/graph/files/graph_json.hpp"

#include <utility>

#include "core/graph/files/graph_io.hpp"
#include "core/names.hpp"

namespace opsched {
namespace {

using Json = nlohmann::ordered_json;

constexpr int version = 1;

const std::pair<PoolType, const char*> pools[] = {
    {PoolType::max, "max"}, {PoolType::avg, "avg"}, {PoolType::global_avg, "global_avg"}};
const std::pair<Interpolation, const char*> interpolations[] = {{Interpolation::nearest, "nearest"},
                                                                {Interpolation::linear, "linear"}};
const std::pair<Coordinates, const char*> coordinates[] = {{Coordinates::half_pixel, "half_pixel"},
                                                           {Coordinates::asymmetric, "asymmetric"},
                                                           {Coordinates::align_corners, "align_corners"}};
const std::pair<Rounding, const char*> roundings[] = {{Rounding::floor, "floor"},
                                                      {Rounding::ceil, "ceil"},
                                                      {Rounding::half_down, "half_down"},
                                                      {Rounding::half_up, "half_up"}};

template <class T, std::size_t n>
const char* name_of(const std::pair<T, const char*> (&names)[n], T value) {
  for (const auto& [v, name] : names)
    if (v == value) return name;
  throw Error("graph_to_json: a value without a name");
}

template <class T, std::size_t n>
T value_of(const std::pair<T, const char*> (&names)[n], const JsonReader& json) {
  const std::string text = json.string();
  for (const auto& [value, name] : names)
    if (text == name) return value;
  json.fail("'" + text + "' is unknown; known: " + joined(names, &std::pair<T, const char*>::second));
}

/// Rarely used fields are omitted if they have the default value.
template <class Window>
void add_window(Json& json, const Window& w) {
  if (w.dilation != std::array{1, 1}) json["dilation"] = w.dilation;
  if (w.more_padding != std::array{0, 0}) json["more_padding"] = w.more_padding;
}

Json to_json(const Conv2d& c) {
  Json json{{"type", "conv2d"},
            {"out_channels", c.out_channels},
            {"kernel", c.kernel},
            {"stride", c.stride},
            {"padding", c.padding},
            {"groups", c.groups},
            {"activation", to_string(c.act)}};
  add_window(json, c);
  return json;
}

Json to_json(const Pool2d& p) {
  Json json{{"type", "pool2d"},   {"pool", name_of(pools, p.type)}, {"kernel", p.kernel},
            {"stride", p.stride}, {"padding", p.padding},           {"count_padding", p.count_padding}};
  if (p.ceil) json["ceil"] = true;
  add_window(json, p);
  return json;
}

Json to_json(const Activate& a) { return {{"type", "activation"}, {"activation", to_string(a.act)}}; }

Json to_json(const Resize2d& r) {
  Json json{{"type", "resize2d"},
            {"size", r.size},
            {"interpolation", name_of(interpolations, r.interpolation)},
            {"coordinates", name_of(coordinates, r.coordinates)},
            {"rounding", name_of(roundings, r.rounding)}};
  if (r.scale != std::array{0.0, 0.0}) json["scale"] = r.scale;
  return json;
}

Json to_json(const DepthToSpace& d) {
  Json json{{"type", "depth_to_space"}, {"block", d.block}, {"phase_first", d.phase_first}};
  if (d.crop != std::array{0, 0}) json["crop"] = d.crop;
  if (d.crop_end != std::array{0, 0}) json["crop_end"] = d.crop_end;
  return json;
}

Json to_json(const PixelRow& r) { return {{"type", "pixel_row"}, {"begin", r.begin}, {"width", r.width}}; }

Json to_json(const Softmax& s) { return {{"type", "softmax"}, {"size", s.size}, {"inner", s.inner}}; }

Json to_json(const Normalize& n) {
  return {{"type", "normalize"}, {"groups", n.groups}, {"per_pixel", n.per_pixel}, {"epsilon", n.epsilon}};
}

Json to_json(const Shape& s) { return Json::array({s.c, s.h, s.w}); }

Json to_json(const Graph& graph, const Operator& op) {
  if (op.is_input()) return {{"name", op.name}, {"shape", to_json(op.output)}};
  Json terms = Json::array(), layers = Json::array();
  for (const Term& term : op.terms) {
    Json values = Json::array();
    for (const Value& v : term) values.push_back(Json::array({graph.op(v.op).name, v.begin, v.end}));
    terms.push_back(std::move(values));
  }
  for (const Layer& layer : op.layers) layers.push_back(std::visit([](const auto& l) { return to_json(l); }, layer));
  Json json{
      {"name", op.name}, {"inputs", std::move(terms)}, {"layers", std::move(layers)}, {"output", to_json(op.output)}};
  if (op.is_product()) json["combine"] = "product";
  return json;
}

Json names_of(const Graph& graph, const std::vector<OpId>& ids) {
  Json names = Json::array();
  for (OpId id : ids) names.push_back(graph.op(id).name);
  return names;
}

Activation read_activation(const JsonReader& json) {
  try {
    return parse_activation(json.string());
  } catch (const Error& e) {
    json.fail(e.what());
  }
}

template <class Window>
void read_window(const JsonReader& json, Window& w) {
  if (json.has("kernel")) w.kernel = json.at("kernel").pair(1);
  if (json.has("stride")) w.stride = json.at("stride").pair(1);
  if (json.has("padding")) w.padding = json.at("padding").pair(-static_cast<int>(max_axis));
  if (json.has("dilation")) w.dilation = json.at("dilation").pair(1);
  if (json.has("more_padding")) w.more_padding = json.at("more_padding").pair(-static_cast<int>(max_axis));
}

Resize2d read_resize(const JsonReader& json) {
  json.check_keys({"type", "size", "interpolation", "coordinates", "rounding", "scale"});
  Resize2d r{.size = json.at("size").pair(1)};
  if (json.has("interpolation")) r.interpolation = value_of(interpolations, json.at("interpolation"));
  if (json.has("coordinates")) r.coordinates = value_of(coordinates, json.at("coordinates"));
  if (json.has("rounding")) r.rounding = value_of(roundings, json.at("rounding"));
  if (json.has("scale")) {
    const auto list = json.at("scale").array();
    if (list.size() != 2) json.at("scale").fail("must be two numbers [vertical, horizontal]");
    r.scale = {list[0].number(), list[1].number()};
  }
  return r;
}

DepthToSpace read_depth_to_space(const JsonReader& json) {
  json.check_keys({"type", "block", "phase_first", "crop", "crop_end"});
  DepthToSpace d{.block = json.at("block").pair(1)};
  if (json.has("phase_first")) d.phase_first = json.at("phase_first").boolean();
  if (json.has("crop")) d.crop = json.at("crop").pair(0);
  if (json.has("crop_end")) d.crop_end = json.at("crop_end").pair(0);
  return d;
}

PixelRow read_pixel_row(const JsonReader& json) {
  json.check_keys({"type", "begin", "width"});
  PixelRow r{.width = json.at("width").integer(1)};
  if (json.has("begin")) r.begin = json.at("begin").integer(0);
  return r;
}

Softmax read_softmax(const JsonReader& json) {
  json.check_keys({"type", "size", "inner"});
  Softmax s{.size = json.at("size").integer(1)};
  if (json.has("inner")) s.inner = json.at("inner").integer(1);
  return s;
}

Normalize read_normalize(const JsonReader& json) {
  json.check_keys({"type", "groups", "per_pixel", "epsilon"});
  Normalize n;
  if (json.has("groups")) n.groups = json.at("groups").integer(1);
  if (json.has("per_pixel")) n.per_pixel = json.at("per_pixel").boolean();
  if (json.has("epsilon")) n.epsilon = static_cast<float>(json.at("epsilon").number());
  return n;
}

Layer read_layer(const JsonReader& json) {
  const std::string type = json.at("type").string();
  if (type == "conv2d") {
    json.check_keys(
        {"type", "out_channels", "kernel", "stride", "padding", "groups", "activation", "dilation", "more_padding"});
    Conv2d c{.out_channels = json.at("out_channels").integer(1)};
    read_window(json, c);
    if (json.has("groups")) c.groups = json.at("groups").integer(1);
    if (json.has("activation")) c.act = read_activation(json.at("activation"));
    return c;
  }
  if (type == "pool2d") {
    json.check_keys(
        {"type", "pool", "kernel", "stride", "padding", "count_padding", "ceil", "dilation", "more_padding"});
    Pool2d p{.type = value_of(pools, json.at("pool"))};
    read_window(json, p);
    if (json.has("count_padding")) p.count_padding = json.at("count_padding").boolean();
    if (json.has("ceil")) p.ceil = json.at("ceil").boolean();
    return p;
  }
  if (type == "activation") {
    json.check_keys({"type", "activation"});
    return Activate{read_activation(json.at("activation"))};
  }
  if (type == "resize2d") return read_resize(json);
  if (type == "depth_to_space") return read_depth_to_space(json);
  if (type == "pixel_row") return read_pixel_row(json);
  if (type == "softmax") return read_softmax(json);
  if (type == "normalize") return read_normalize(json);
  json.fail("unknown layer type '" + type +
            "'; known: conv2d, pool2d, activation, resize2d, depth_to_space, pixel_row, softmax, normalize");
}

OperatorSpec read_operator(const JsonReader& item) {
  OperatorSpec op;
  op.name = item.at("name").string();
  const JsonReader json = item.named(item.where() + " '" + op.name + "'");
  if (json.has("shape")) {
    json.check_keys({"name", "shape"});
    op.input = json.at("shape").shape();
    return op;
  }
  json.check_keys({"name", "inputs", "layers", "output", "combine"});
  op.terms = read_terms(json.at("inputs"));
  for (const JsonReader& layer : json.at("layers").array()) op.layers.push_back(read_layer(layer));
  if (json.has("combine")) {
    const std::string combine = json.at("combine").string();
    if (combine != "concat" && combine != "product")
      json.at("combine").fail("'" + combine + "' is unknown; known: concat, product");
    op.combine = combine == "product" ? Combine::product : Combine::concat;
  }
  if (json.has("output")) op.stated.push_back({op.layers.size(), json.at("output").shape()});
  return op;
}

BlockSpec read_block(const JsonReader& item) {
  BlockSpec block;
  block.name = item.at("name").string();
  const JsonReader json = item.named(item.where() + " '" + block.name + "'");
  json.check_keys({"name", "operators", "parts"});
  block.ops = json.at("operators").strings();
  if (json.has("parts"))
    for (const JsonReader& part : json.at("parts").array()) block.parts.push_back(part.strings());
  return block;
}

}  // namespace

ValueSpec read_value(const JsonReader& json) {
  const auto list = json.array();
  if (list.size() != 3) json.fail("a value must be [operator, begin, end]");
  return {list[0].string(), list[1].integer(0), list[2].integer(0)};
}

std::vector<std::vector<ValueSpec>> read_terms(const JsonReader& json) {
  std::vector<std::vector<ValueSpec>> terms;
  for (const JsonReader& term : json.array()) {
    auto& values = terms.emplace_back();
    for (const JsonReader& value : term.array()) values.push_back(read_value(value));
  }
  return terms;
}

GraphSpec spec_from_json(const JsonReader& file) {
  file.check_keys({"format", "version", "name", "batch", "operators", "blocks"});
  if (const int found = file.at("version").integer(); found != version)
    file.fail("version " + std::to_string(found) + " of the format; this program reads version " +
              std::to_string(version));
  GraphSpec spec;
  spec.name = file.at("name").string();
  if (file.has("batch")) spec.batch = file.at("batch").integer(1);
  for (const JsonReader& op : file.at("operators").array()) spec.ops.push_back(read_operator(op.named("operator")));
  if (file.has("blocks")) {
    spec.blocks.emplace();
    for (const JsonReader& block : file.at("blocks").array()) spec.blocks->push_back(read_block(block.named("block")));
  }
  return spec;
}

std::string graph_to_json(const Graph& graph) {
  const auto line = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);  // never throws
  };
  std::string text = "{\"format\": \"opsched-graph\", \"version\": " + std::to_string(version) +
                     ", \"name\": " + line(graph.name()) + ", \"batch\": " + std::to_string(graph.batch()) +
                     ",\n\"operators\": [";
  for (OpId id = 0; id < graph.size(); ++id) text += (id ? ",\n" : "\n") + line(to_json(graph, graph.op(id)));
  text += "\n],\n\"blocks\": [";
  bool first = true;
  for (const Block& block : graph.blocks()) {
    Json json{{"name", block.name}, {"operators", names_of(graph, block.ops)}};
    if (!block.parts.empty()) json["parts"] = Json::array();
    for (const auto& part : block.parts) json["parts"].push_back(names_of(graph, part));
    text += (first ? "\n" : ",\n") + line(json);
    first = false;
  }
  return text + "\n]}\n";
}

}  // namespace opsched
