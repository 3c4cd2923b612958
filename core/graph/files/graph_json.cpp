// Our own JSON form of a graph.
//
//   {"format": "opsched-graph", "version": 1, "name": ..., "batch": ...,
//    "operators": [{"name", "shape": [C, H, W]}                              an input, or
//                  {"name", "inputs", "layers", "output": [C, H, W]}, ...],
//    "blocks": [{"name", "operators": [name, ...], "parts": [[name, ...], ...]}, ...]}
//
// "inputs" is a list of terms, concatenated; a term a list of values, added; a value [name, begin, end)
// in channels. "output", "parts" and "blocks" may be left out. A layer has a "type" and fields as in
// core/graph/operator.hpp; fields with a default there may be left out.
#include "core/graph/files/graph_json.hpp"

#include <utility>

#include "core/graph/files/graph_io.hpp"

namespace opsched {
namespace {

using Json = nlohmann::ordered_json;

constexpr int version = 1;

const std::pair<Activation, const char*> activations[] = {
    {Activation::none, "none"}, {Activation::relu, "relu"}, {Activation::tanh, "tanh"}};
const std::pair<PoolType, const char*> pools[] = {
    {PoolType::max, "max"}, {PoolType::avg, "avg"}, {PoolType::global_avg, "global_avg"}};

template <class T, std::size_t n>
const char* name_of(const std::pair<T, const char*> (&names)[n], T value) {
  for (const auto& [v, name] : names)
    if (v == value) return name;
  throw Error("graph_to_json: a value without a name");
}

template <class T, std::size_t n>
T value_of(const std::pair<T, const char*> (&names)[n], const JsonReader& json) {
  const std::string text = json.string();
  std::string known;
  for (const auto& [value, name] : names) {
    if (text == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  json.fail("'" + text + "' is unknown; known: " + known);
}

Json to_json(const Conv2d& c) {
  return {{"type", "conv2d"},
          {"out_channels", c.out_channels},
          {"kernel", c.kernel},
          {"stride", c.stride},
          {"padding", c.padding},
          {"groups", c.groups},
          {"activation", name_of(activations, c.act)}};
}

Json to_json(const Pool2d& p) {
  Json json{{"type", "pool2d"},   {"pool", name_of(pools, p.type)}, {"kernel", p.kernel},
            {"stride", p.stride}, {"padding", p.padding},           {"count_padding", p.count_padding}};
  if (p.ceil) json["ceil"] = true;
  return json;
}

Json to_json(const Activate& a) { return {{"type", "activation"}, {"activation", name_of(activations, a.act)}}; }

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
  return {
      {"name", op.name}, {"inputs", std::move(terms)}, {"layers", std::move(layers)}, {"output", to_json(op.output)}};
}

Json names_of(const Graph& graph, const std::vector<OpId>& ids) {
  Json names = Json::array();
  for (OpId id : ids) names.push_back(graph.op(id).name);
  return names;
}

Layer read_layer(const JsonReader& json) {
  const std::string type = json.at("type").string();
  if (type == "conv2d") {
    json.check_keys({"type", "out_channels", "kernel", "stride", "padding", "groups", "activation"});
    Conv2d c{.out_channels = json.at("out_channels").integer(1)};
    if (json.has("kernel")) c.kernel = json.at("kernel").pair(1);
    if (json.has("stride")) c.stride = json.at("stride").pair(1);
    if (json.has("padding")) c.padding = json.at("padding").pair(0);
    if (json.has("groups")) c.groups = json.at("groups").integer(1);
    if (json.has("activation")) c.act = value_of(activations, json.at("activation"));
    return c;
  }
  if (type == "pool2d") {
    json.check_keys({"type", "pool", "kernel", "stride", "padding", "count_padding", "ceil"});
    Pool2d p{.type = value_of(pools, json.at("pool"))};
    if (json.has("kernel")) p.kernel = json.at("kernel").pair(1);
    if (json.has("stride")) p.stride = json.at("stride").pair(1);
    if (json.has("padding")) p.padding = json.at("padding").pair(0);
    if (json.has("count_padding")) p.count_padding = json.at("count_padding").boolean();
    if (json.has("ceil")) p.ceil = json.at("ceil").boolean();
    return p;
  }
  if (type == "activation") {
    json.check_keys({"type", "activation"});
    return Activate{value_of(activations, json.at("activation"))};
  }
  json.fail("unknown layer type '" + type + "'; known: conv2d, pool2d, activation");
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
  json.check_keys({"name", "inputs", "layers", "output"});
  op.terms = read_terms(json.at("inputs"));
  for (const JsonReader& layer : json.at("layers").array()) op.layers.push_back(read_layer(layer));
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
