// The graph file of IOS's public code (mit-han-lab/inter-operator-scheduler).
#include <algorithm>
#include <unordered_set>

#include "core/graph/files/graph_io.hpp"
#include "core/graph/files/graph_json.hpp"

namespace opsched {
namespace {

using Json = nlohmann::ordered_json;

// ---- reading

Activation read_ios_activation(const JsonReader& json) {
  const std::string text = json.string();
  if (text == "relu") return Activation::relu;
  if (text == "tanh") return Activation::tanh;
  if (text == "sigmoid") return Activation::sigmoid;
  if (text == "identity") return Activation::none;
  json.fail("activation '" + text + "' is not supported; known: relu, tanh, sigmoid, identity");
}

Conv2d read_conv(const JsonReader& node) {
  return {.out_channels = node.at("out_channels").integer(1),
          .kernel = node.at("kernel").pair(1),
          .stride = node.at("stride").pair(1),
          .padding = node.at("padding").pair(0),
          .groups = node.at("groups").integer(1),
          .act = read_ios_activation(node.at("act"))};
}

Pool2d read_pool(const JsonReader& node) {
  const std::string type = node.at("pool_type").string();
  if (type == "global_avg") return {.type = PoolType::global_avg};
  if (type != "max" && type != "avg")
    node.fail("pool_type '" + type + "' is not supported; known: max, avg, global_avg");
  return {.type = type == "max" ? PoolType::max : PoolType::avg,
          .kernel = node.at("kernel").pair(1),
          .stride = node.at("stride").pair(1),
          .padding = node.at("padding").pair(0)};
}

JsonReader named(const JsonReader& node) { return node.named("node '" + node.at("name").string() + "'"); }

/// Throws unless a node of a sequential reads one value: all of the preceding node.
void check_chain(const JsonReader& node, const JsonReader& before) {
  if (!node.has("inputs") || node.at("inputs").is_null()) return;
  const auto terms = read_terms(node.at("inputs"));
  const std::string name = before.at("name").string();
  if (terms.size() != 1 || terms[0].size() != 1 || terms[0][0].op != name || terms[0][0].begin != 0 ||
      (before.has("output_shape") && terms[0][0].end != before.at("output_shape").shape().c))
    node.fail("in a sequential, it must read all of '" + name + "', the node before it, and nothing else");
}

/// Appends a node's layers to the operator that it is, or is part of.
void append_layers(const JsonReader& node, OperatorSpec& op) {
  const std::string type = node.at("type").string();
  if (type == "sequential") {
    const auto nodes = node.at("nodes").array();
    if (nodes.empty()) node.fail("a sequential without nodes");
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i > 0) check_chain(named(nodes[i]), nodes[i - 1]);
      append_layers(named(nodes[i]), op);
    }
  } else if (type == "conv") {
    op.layers.push_back(read_conv(node));
  } else if (type == "pool") {
    op.layers.push_back(read_pool(node));
  } else if (type == "relu") {
    op.layers.push_back(Activate{});
  } else if (type == "activation") {
    op.layers.push_back(Activate{read_ios_activation(node.at("act_type"))});
  } else if (type == "element") {
    // The values of a term are always added. IOS also writes the factors of a product as values of one term.
    const std::string kind = node.at("op_type").string();
    if (kind == "mul" && op.terms.size() == 1 && op.layers.empty()) {
      std::vector<std::vector<ValueSpec>> factors;
      for (const ValueSpec& value : op.terms[0]) factors.push_back({value});
      op.terms = std::move(factors);
      op.combine = Combine::product;
    } else if (kind != "add") {
      node.fail("element-wise '" + kind + "' is not supported here, only 'add' and 'mul'");
    }
  } else if (type != "identity") {
    node.fail("type '" + type +
              "' is not supported here; known: conv, pool, identity, relu, element, activation, sequential");
  }
  if (node.has("output_shape") && !node.at("output_shape").is_null())
    op.stated.push_back({op.layers.size(), node.at("output_shape").shape()});
}

/// The node whose inputs are the unit's: itself, or the first of a sequential.
JsonReader first_node(const JsonReader& node) {
  if (node.at("type").string() != "sequential") return node;
  const auto nodes = node.at("nodes").array();
  if (nodes.empty()) node.fail("a sequential without nodes");
  return first_node(named(nodes.front()));
}

OperatorSpec read_unit(const JsonReader& item) {
  const JsonReader node = named(item);
  OperatorSpec op;
  op.name = node.at("name").string();
  op.terms = read_terms(first_node(node).at("inputs"));
  append_layers(node, op);
  return op;
}

// ---- writing

const char* ios_name(Activation act) { return act == Activation::none ? "identity" : activation_name(act.kind); }

Json shape_list(const Shape& s) { return Json::array({s.c, s.h, s.w}); }

Json node_json(const char* type, const std::string& name, const Json& inputs) {
  return {{"type", type}, {"name", name}, {"hint_name", name}, {"inputs", inputs}};
}

Json layer_json(const Layer& layer, const std::string& name, const Json& inputs, const Shape& in) {
  if (const auto* c = std::get_if<Conv2d>(&layer)) {
    Json json = node_json("conv", name, inputs);
    json.update({{"out_channels", c->out_channels}, {"kernel", c->kernel}, {"stride", c->stride}});
    json.update({{"padding", c->padding}, {"groups", c->groups}, {"act", ios_name(c->act)}});
    return json;
  }
  if (const auto* p = std::get_if<Pool2d>(&layer)) {
    Json json = node_json("pool", name, inputs);
    if (p->type == PoolType::global_avg) {
      json.update({{"pool_type", "global_avg"}, {"kernel", {in.h, in.w}}, {"stride", {1, 1}}, {"padding", {0, 0}}});
      return json;
    }
    if (p->type == PoolType::avg && !p->count_padding && p->padding != std::array{0, 0})
      throw Error("operator '" + name + "': IOS's format has no average pool that does not count its padding");
    if (p->ceil) throw Error("operator '" + name + "': IOS's format has no pool that rounds its size up");
    json["pool_type"] = p->type == PoolType::max ? "max" : "avg";
    json.update({{"kernel", p->kernel}, {"stride", p->stride}, {"padding", p->padding}});
    return json;
  }
  const Activation act = std::get<Activate>(layer).act;
  if (act == Activation::relu || act == Activation::none) return node_json(ios_name(act), name, inputs);
  Json json = node_json("activation", name, inputs);
  json.update({{"act_type", ios_name(act)}, {"inplace", false}});
  return json;
}

/// Throws for what IOS's format cannot express. It has relu, tanh and sigmoid. It also has products of two values of
/// one shape, which we do not export.
void check_ios_has(const Operator& op) {
  const auto refuse = [&](const std::string& what) {
    throw Error("operator '" + op.name + "': IOS's format has no " + what);
  };
  if (op.is_product()) refuse("product with a place for layers");
  for (const Layer& layer : op.layers) {
    if (std::holds_alternative<Resize2d>(layer)) refuse("resizing");
    if (std::holds_alternative<DepthToSpace>(layer)) refuse("channels that become pixels");
    if (std::holds_alternative<PixelRow>(layer)) refuse("pixels put into one row");
    if (std::holds_alternative<Softmax>(layer)) refuse("softmax");
    if (std::holds_alternative<Normalize>(layer)) refuse("normalisation by an image's own mean and variance");
    const auto check_window = [&](const auto& w) {
      if (w.dilation != std::array{1, 1}) refuse("dilation");
      if (w.more_padding != std::array{0, 0}) refuse("padding that differs at the two ends");
      if (w.padding[0] < 0 || w.padding[1] < 0) refuse("negative padding");
    };
    const auto check_act = [&](const Activation& act) {
      if (!act.is_basic() && act != Activation::sigmoid) refuse("activation " + to_string(act));
    };
    if (const auto* c = std::get_if<Conv2d>(&layer)) check_window(*c), check_act(c->act);
    if (const auto* p = std::get_if<Pool2d>(&layer)) check_window(*p);
    if (const auto* a = std::get_if<Activate>(&layer)) check_act(a->act);
  }
}

Json placeholder_json(const Operator& op) {
  return {{"type", "placeholder"}, {"name", op.name}, {"hint_name", op.name}, {"output_shape", shape_list(op.output)}};
}

Json unit_json(const Graph& graph, OpId id) {
  const Operator& op = graph.op(id);
  if (op.is_input()) return placeholder_json(op);
  check_ios_has(op);
  Json inputs = Json::array();
  for (const Term& term : op.terms) {
    Json values = Json::array();
    for (const Value& v : term) values.push_back(Json::array({graph.op(v.op).name, v.begin, v.end}));
    inputs.push_back(std::move(values));
  }
  Json json;
  if (op.layers.empty()) {
    json = node_json("identity", op.name, inputs);
  } else if (op.layers.size() == 1) {
    json = layer_json(op.layers.front(), op.name, inputs, op.input);
  } else {
    json = {{"type", "sequential"}, {"name", op.name}, {"hint_name", op.name}, {"nodes", Json::array()}};
    Shape shape = op.input;
    for (std::size_t i = 0; i < op.layers.size(); ++i) {
      const std::string name = op.name + "/" + std::to_string(i);
      Json node = layer_json(op.layers[i], name, inputs, shape);
      shape = infer_shape(op.layers[i], shape);
      node["output_shape"] = shape_list(shape);
      json["nodes"].push_back(std::move(node));
      inputs = Json::array({Json::array({Json::array({name, 0, shape.c})})});
    }
  }
  json["output_shape"] = shape_list(op.output);
  return json;
}

/// In IOS, a block is entered at the exit of the preceding block and left at its last operator.
void check_ends(const Graph& graph, const Block& block, OpId enter) {
  for (OpId id : block.ops) {
    const auto outside = [&](OpId other) { return !std::ranges::binary_search(block.ops, other); };
    for (OpId p : graph.preds(id))
      if (outside(p) && p != enter)
        throw Error("block '" + block.name + "': IOS's format can only enter it at '" + graph.op(enter).name +
                    "', but '" + graph.op(id).name + "' reads '" + graph.op(p).name + "'");
    const auto succs = graph.succs(id);
    if (id != block.ops.back() && (succs.empty() || std::ranges::any_of(succs, outside)))
      throw Error("block '" + block.name + "': IOS's format can only leave it at '" + graph.op(block.ops.back()).name +
                  "', but '" + graph.op(id).name + "' is needed outside, too");
  }
}

Json block_json(const Graph& graph, const Block& block, OpId enter) {
  check_ends(graph, block, enter);
  Json inner = Json::array(), stages = Json::array(), parts = Json::array();
  for (OpId id : block.ops) {
    if (id != block.ops.back()) inner.push_back(unit_json(graph, id));
    stages.push_back(Json::array({Json::array({graph.op(id).name})}));
  }
  Json json{{"name", block.name},
            {"enter_name", graph.op(enter).name},
            {"enter_node", unit_json(graph, enter)},
            {"inner_nodes", std::move(inner)},
            {"exit_node", unit_json(graph, block.ops.back())},
            {"stages", std::move(stages)}};
  for (const auto& part : block.parts) {
    Json names = Json::array();
    for (OpId id : part) names.push_back(graph.op(id).name);
    parts.push_back(std::move(names));
  }
  if (!parts.empty()) json["parts"] = std::move(parts);
  return json;
}

}  // namespace

GraphSpec spec_from_ios_json(const JsonReader& file) {
  GraphSpec spec;
  if (file.has("name")) spec.name = file.at("name").string();
  const JsonReader input = named(file.at("input"));
  OperatorSpec& entry = spec.ops.emplace_back();
  entry.name = input.at("name").string();
  entry.input = input.at("output_shape").shape();

  std::vector<std::string> enters;
  spec.blocks.emplace();
  for (const JsonReader& item : file.at("blocks").array()) {
    BlockSpec& block = spec.blocks->emplace_back();
    block.name = item.has("name") ? item.at("name").string() : "block" + std::to_string(spec.blocks->size());
    const JsonReader json = item.named("block '" + block.name + "'");
    std::vector<JsonReader> nodes = json.at("inner_nodes").array();
    nodes.push_back(json.at("exit_node"));
    for (const JsonReader& node : nodes) {
      spec.ops.push_back(read_unit(node));
      block.ops.push_back(spec.ops.back().name);
    }
    if (json.has("parts"))
      for (const JsonReader& part : json.at("parts").array()) block.parts.push_back(part.strings());
    enters.push_back(json.at("enter_name").string());
  }
  std::unordered_set<std::string> names;
  for (const OperatorSpec& op : spec.ops) names.insert(op.name);
  for (std::size_t b = 0; b < enters.size(); ++b)
    if (!names.contains(enters[b]))
      throw Error("block '" + (*spec.blocks)[b].name + "' is entered at '" + enters[b] + "', which is not there");
  return spec;
}

std::string graph_to_ios_json(const Graph& graph) {
  if (graph.inputs().size() != 1)
    throw Error("graph '" + graph.name() + "': IOS's format holds one input, not " +
                std::to_string(graph.inputs().size()));
  OpId enter = graph.inputs().front();
  const auto line = [](const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string text =
      "{\"name\": " + line(graph.name()) + ", \"input\": " + line(unit_json(graph, enter)) + ", \"blocks\": [";
  for (const Block& block : graph.blocks()) {
    text += (&block == graph.blocks().data() ? "\n" : ",\n") + line(block_json(graph, block, enter));
    enter = block.ops.back();
  }
  return text + "\n]}\n";
}

}  // namespace opsched
