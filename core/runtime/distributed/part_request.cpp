#include "core/runtime/distributed/part_request.hpp"

#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/graph/fingerprint.hpp"
#include "core/schedule/schedule_json.hpp"

namespace opsched {
namespace {

using nlohmann::json;

constexpr const char* kSource = "the graph of process 0";

/// Appends every distinct block of weights once; the returned JSON says which layer uses which block.
json append_weights(const WeightTable& table, std::string& bytes) {
  std::map<const ConvWeights*, int> index;
  json layers = json::array(), sizes = json::array();
  for (const auto& [place, weights] : table) {
    const auto [it, fresh] = index.try_emplace(weights.get(), static_cast<int>(index.size()));
    layers.push_back({place.first, place.second, it->second});
    if (!fresh) continue;
    sizes.push_back({weights->weight.size(), weights->bias.size()});
    for (const std::vector<float>* values : {&weights->weight, &weights->bias})
      bytes.append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
  }
  return {{"layers", layers}, {"sizes", sizes}};
}

std::shared_ptr<const WeightTable> read_weights(const json& text, const char* bytes) {
  std::vector<std::shared_ptr<const ConvWeights>> blocks;
  for (const json& size : text.at("sizes")) {
    const auto weights = std::make_shared<ConvWeights>();
    weights->weight.resize(size.at(0).get<std::size_t>());
    weights->bias.resize(size.at(1).get<std::size_t>());
    for (std::vector<float>* values : {&weights->weight, &weights->bias}) {
      if (!values->empty()) std::memcpy(values->data(), bytes, values->size() * sizeof(float));
      bytes += values->size() * sizeof(float);
    }
    blocks.push_back(weights);
  }
  auto table = std::make_shared<WeightTable>();
  for (const json& layer : text.at("layers"))
    table->emplace(std::pair(layer.at(0).get<int>(), layer.at(1).get<int>()),
                   blocks.at(layer.at(2).get<std::size_t>()));
  return table;
}

}  // namespace

std::string to_bytes(const PartRequest& request) {
  const Graph& whole = request.graph.unsplit();
  const ReluMoves relus = whole.relu_moves();
  std::string weights;
  json text = {{"back_end", request.back_end},
               {"precision", to_string(request.precision)},
               {"graph", graph_to_json(whole)},
               {"early_relus", relus.early},
               {"relieved", relus.relieved},
               {"fingerprint", named_fingerprint(whole)},
               {"output_names", whole.output_names()},
               {"seed", request.seed},
               {"waits", request.waits == Waits::all ? "all" : "needed"},
               {"process_of", request.process_of}};
  if (const std::optional<TransferHops>& hops = request.hops)
    text["hops"] = {hops->from, hops->to, hops->bytes, hops->count};
  else
    text["schedule"] = schedule_to_json(request.graph, stated(request.graph, request.schedule));
  if (whole.weights()) text["weights"] = append_weights(*whole.weights(), weights);
  return text.dump() + '\n' + weights;
}

PartRequest part_request_from(const std::string& bytes) try {
  const std::size_t end = bytes.find('\n');
  const json text = json::parse(bytes.substr(0, end));
  PartRequest request{.back_end = text.at("back_end"),
                      .precision = parse_precision(text.at("precision")),
                      .graph = parse_graph(text.at("graph"), kSource),
                      .seed = text.at("seed"),
                      .waits = text.at("waits") == "all" ? Waits::all : Waits::needed,
                      .process_of = text.at("process_of")};
  Graph& graph = request.graph;
  graph.set_output_names(text.at("output_names"));
  graph.set_relu_moves({.early = text.at("early_relus"), .relieved = text.at("relieved")});
  if (text.contains("weights")) graph.set_weights(read_weights(text.at("weights"), bytes.data() + end + 1));
  if (named_fingerprint(graph) != text.at("fingerprint").get<std::string>())
    throw Error("the graph '" + graph.name() + "' came out otherwise than process 0 has it");
  if (text.contains("hops")) {
    const json& hops = text.at("hops");
    request.hops = TransferHops{hops.at(0), hops.at(1), hops.at(2), hops.at(3)};
  } else {
    request.schedule = schedule_from_json(graph, text.at("schedule"), "the schedule of process 0");
  }
  return request;
} catch (const nlohmann::json::exception& e) {
  throw Error(std::string("what process 0 sent is no part of a schedule: ") + e.what());
}

}  // namespace opsched
