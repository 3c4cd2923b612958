#include "core/schedule/schedule_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/fingerprint.hpp"
#include "core/nesting.hpp"

namespace opsched {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "opsched schedule";
constexpr int kVersion = 1;

/// A JSON value with its location, for errors.
class Node {
 public:
  Node(const json& value, std::string where) : value_(value), where_(std::move(where)) {}

  Node at(const char* key) const {
    const auto node = find(key);
    if (!node) fail("has no '" + std::string(key) + "'");
    return *node;
  }
  /// Empty if there is no such member.
  std::optional<Node> find(const char* key) const {
    if (!value_.is_object()) fail("must be an object");
    const auto it = value_.find(key);
    if (it == value_.end()) return std::nullopt;
    return Node(*it, where_ + "." + key);
  }
  std::vector<Node> items() const {
    if (!value_.is_array()) fail("must be an array");
    std::vector<Node> items;
    for (const json& item : value_) items.emplace_back(item, where_ + "[" + std::to_string(items.size()) + "]");
    return items;
  }
  std::vector<std::pair<std::string, Node>> members() const {
    if (!value_.is_object()) fail("must be an object");
    std::vector<std::pair<std::string, Node>> members;
    for (const auto& [key, item] : value_.items()) members.emplace_back(key, Node(item, where_ + "." + key));
    return members;
  }
  bool is_object() const { return value_.is_object(); }
  std::string text() const {
    if (!value_.is_string()) fail("must be a string");
    return value_.get<std::string>();
  }
  std::int64_t integer() const {
    if (!value_.is_number_integer()) fail("must be a whole number");
    return value_.get<std::int64_t>();
  }
  [[noreturn]] void fail(const std::string& what) const { throw Error(where_ + " " + what); }

 private:
  const json& value_;
  std::string where_;
};

json parse(const std::string& text, const std::string& where) {
  try {
    check_nesting(text);
    return json::parse(text);
  } catch (const Error& e) {
    throw Error(where + ": " + e.what());
  } catch (const json::exception& e) {
    const std::string what = e.what();  // "[json.exception...] parse error at line 1, column 2: ..."
    const auto begin = what.find("] ");
    throw Error(where + ": not JSON: " + (begin == std::string::npos ? what : what.substr(begin + 2)));
  }
}

/// Throws unless the file's operators are those of the graph.
void check_fit(const Graph& graph, const Node& root, const std::string& where) {
  const Node made_for = root.at("graph");
  const auto fail = [&](const std::string& op, const char* problem) {
    throw Error(where + ": made for graph '" + made_for.at("name").text() + "' at batch " +
                std::to_string(made_for.at("batch").integer()) + ", which is not graph '" + graph.name() +
                "': operator '" + op + "' " + problem);
  };
  std::vector<bool> seen(graph.size(), false);
  for (const auto& [name, fingerprint] : root.at("operators").members()) {
    const OpId op = graph.find(name);
    if (op < 0) fail(name, "does not exist there");
    if (operator_fingerprint(graph, op) != fingerprint.text()) fail(name, "differs in its layers or in what it reads");
    seen[op] = true;
  }
  for (OpId op : graph.units())
    if (!seen[op]) fail(graph.op(op).name, "exists only there");
}

OpId operator_of(const Graph& graph, const Node& node) {
  const OpId op = graph.find(node.text());
  if (op < 0) node.fail("names '" + node.text() + "', which is no operator of graph '" + graph.name() + "'");
  return op;
}

Stage stage_of(const Graph& graph, const Node& node) {
  Stage stage;
  const std::string strategy = node.at("strategy").text();
  if (strategy == to_string(Strategy::merge))
    stage.strategy = Strategy::merge;
  else if (strategy != to_string(Strategy::concurrent))
    node.at("strategy").fail("must be 'concurrent' or 'merge', not '" + strategy + "'");
  for (const Node& group : node.at("groups").items()) {
    stage.groups.emplace_back();
    for (const Node& name : group.items()) stage.groups.back().push_back(operator_of(graph, name));
  }
  return stage;
}

std::vector<int> priority_of(const Graph& graph, const Node& node) {
  std::vector<int> priority(graph.size(), 0);
  for (const auto& [name, level] : node.members()) {
    const OpId op = graph.find(name);
    if (op < 0) level.fail("is for no operator of graph '" + graph.name() + "'");
    const std::int64_t value = level.integer();
    if (value < 0 || value > kMostPriority) level.fail("must be from 0 to " + std::to_string(kMostPriority));
    priority[op] = static_cast<int>(value);
  }
  return priority;
}

/// Sorted by operator; JSON members are sorted by name.
std::vector<Split> splits_of(const Graph& graph, const Node& node) {
  std::vector<Split> splits;
  for (const auto& [name, what] : node.members()) {
    Split& split = splits.emplace_back();
    split.op = graph.find(name);
    if (split.op < 0) what.fail("is for no operator of graph '" + graph.name() + "'");
    if (what.is_object()) split.along = Along::images;
    const Node begins = what.is_object() ? what.at("images") : what;
    for (const Node& begin : begins.items()) {
      if (begin.integer() < 1 || begin.integer() > max_axis)
        begin.fail("must be one of the " + to_string(split.along) + " from 1 on");
      split.begins.push_back(static_cast<int>(begin.integer()));
    }
  }
  std::ranges::sort(splits, {}, &Split::op);
  return splits;
}

json names_of(const Graph& graph, const std::vector<OpId>& ops) {
  json names = json::array();
  for (OpId op : ops) names.push_back(graph.op(op).name);
  return names;
}

}  // namespace

std::string schedule_to_json(const Graph& of, const Schedule& schedule) {
  const Graph& whole = of.unsplit();
  const std::shared_ptr<const Graph> scheduled = scheduled_graph(of, schedule);
  const Graph& graph = *scheduled;
  // Formatted by hand, so that a stage takes one line.
  std::string text = "{\"format\": " + json(kFormat).dump() + ", \"version\": " + std::to_string(kVersion) + ",\n";
  const json made_for = {{"name", graph.name()}, {"batch", graph.batch()}, {"fingerprint", named_fingerprint(whole)}};
  text += " \"graph\": " + made_for.dump() + ",\n";
  text += " \"scheduler\": " + json(schedule.scheduler).dump() +
          ", \"mode\": " + json(to_string(schedule.mode)).dump() + ",\n \"devices\": [";
  for (std::size_t d = 0; d < schedule.devices.size(); ++d) {
    text += std::string(d ? "," : "") + "\n  {\"stages\": [";
    const auto& stages = schedule.devices[d].stages;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      json groups = json::array();
      for (const Group& group : stages[s].groups) groups.push_back(names_of(graph, group));
      text += std::string(s ? "," : "") + "\n   {\"strategy\": " + json(to_string(stages[s].strategy)).dump() +
              ", \"groups\": " + groups.dump() + "}";
    }
    text += "]}";
  }
  text += "],\n \"launch_order\": " + names_of(graph, schedule.launch_order).dump();
  if (!schedule.priority.empty()) {
    json priority = json::object();  // only priorities above 0
    for (OpId op : graph.units())
      if (schedule.priority[op] > 0) priority[graph.op(op).name] = schedule.priority[op];
    text += ",\n \"priority\": " + priority.dump();
  }
  if (!schedule.splits.empty()) {
    json splits = json::object();
    for (const Split& split : schedule.splits) {
      json& of = splits[whole.op(split.op).name];
      (split.along == Along::images ? of["images"] : of) = split.begins;
    }
    text += ",\n \"splits\": " + splits.dump();
  }
  text += ",\n \"operators\": {";
  const char* separator = "\n  ";
  for (OpId op : whole.units()) {
    text += separator + json(whole.op(op).name).dump() + ": \"" + operator_fingerprint(whole, op) + "\"";
    separator = ",\n  ";
  }
  return text + "}}\n";
}

Schedule schedule_from_json(const Graph& of, const std::string& text, const std::string& where) {
  const Graph& whole = of.unsplit();
  const json file = parse(text, where);
  const Node root(file, where + ": schedule");
  if (root.at("format").text() != kFormat)
    throw Error(where + ": not a schedule file: its format is not '" + kFormat + "'");
  if (const std::int64_t version = root.at("version").integer(); version != kVersion)
    throw Error(where + ": a schedule file of version " + std::to_string(version) + "; this program reads version " +
                std::to_string(kVersion) + ". Make the schedule again");
  check_fit(whole, root, where);
  Schedule schedule;
  if (const auto splits = root.find("splits")) schedule.splits = splits_of(whole, *splits);
  std::shared_ptr<const Graph> scheduled;
  try {
    scheduled = scheduled_graph(of, schedule);
  } catch (const Error& e) {
    throw Error(where + ": " + e.what());
  }
  const Graph& graph = *scheduled;
  schedule.graph = root.at("graph").at("name").text();
  schedule.scheduler = root.at("scheduler").text();
  const std::string mode = root.at("mode").text();
  if (mode == to_string(Mode::dataflow))
    schedule.mode = Mode::dataflow;
  else if (mode != to_string(Mode::barrier))
    root.at("mode").fail("must be 'barrier' or 'dataflow', not '" + mode + "'");
  for (const Node& device : root.at("devices").items()) {
    schedule.devices.emplace_back();
    for (const Node& stage : device.at("stages").items())
      schedule.devices.back().stages.push_back(stage_of(graph, stage));
  }
  for (const Node& name : root.at("launch_order").items()) schedule.launch_order.push_back(operator_of(graph, name));
  if (const auto priority = root.find("priority")) schedule.priority = priority_of(graph, *priority);
  try {
    validate(graph, schedule);
  } catch (const Error& e) {
    throw Error(where + ": " + e.what());
  }
  return schedule;
}

void save_schedule(const std::string& path, const Graph& graph, const Schedule& schedule) {
  write_file_atomically(path, schedule_to_json(graph, schedule));
}

Schedule load_schedule(const std::string& path, const Graph& graph) {
  return schedule_from_json(graph, read_file(path), path);
}

}  // namespace opsched
