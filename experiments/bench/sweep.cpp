#include "experiments/bench/sweep.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/json_reader.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched::bench {
namespace {

/// Runs `action`; an Error is reported with its place in the file.
template <class Action>
auto placed(const JsonReader& at, const Action& action) {
  try {
    return action();
  } catch (const Error& e) {
    at.fail(e.what());
  }
}

/// If the object has the key, replaces `list` by its list; `add` reads and adds one item.
template <class Item, class Add>
void read_list(const JsonReader& object, const char* key, std::vector<Item>& list, const Add& add) {
  if (!object.has(key)) return;
  const std::vector<JsonReader> items = object.at(key).array();
  if (items.empty()) object.at(key).fail("the list is empty; leave it out for the default");
  list.clear();
  for (const JsonReader& item : items) add(item);
}

/// Splits "hios-lp,split=rows" into the words of Selection::schedulers.
std::vector<std::string> scheduler_words(const JsonReader& item) {
  std::vector<std::string> words = {""};
  for (const char c : item.string())
    if (c == ',')
      words.emplace_back();
    else
      words.back() += c;
  SchedulerOptions options;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == words[i].size())
      item.fail("'" + item.string() + "': one scheduler a text, its options behind it, as in \"hios-lp,split=rows\"");
    options[words[i].substr(0, equals)] = words[i].substr(equals + 1);
  }
  placed(item, [&] { check_scheduler(words.front(), 1, options); });
  return words;
}

/// The lists of an object; missing ones are taken from `common`.
Selection read_selection(const JsonReader& object, const Selection& common) {
  Selection lists = common;
  read_list(object, "networks", lists.networks, [&](const JsonReader& item) {
    lists.networks.push_back(placed(item, [&] { return find_network(item.string()).name; }));
  });
  read_list(object, "graphs", lists.files, [&](const JsonReader& item) { lists.files.push_back(item.string()); });
  if (object.has("graphs")) placed(object.at("graphs"), [&] { graph_files(lists.files); });
  read_list(object, "schedulers", lists.schedulers, [&](const JsonReader& item) {
    const std::vector<std::string> words = scheduler_words(item);
    lists.schedulers.insert(lists.schedulers.end(), words.begin(), words.end());
  });
  read_list(object, "batches", lists.batches,
            [&](const JsonReader& item) { lists.batches.push_back(item.integer(1)); });
  read_list(object, "images", lists.images, [&](const JsonReader& item) {
    lists.images.push_back(item.is_string() ? placed(item, [&] { return parse_image(item.string()); })
                                            : ImageSize(item.integer(0)));
  });
  read_list(object, "precisions", lists.precisions, [&](const JsonReader& item) {
    lists.precisions.push_back(placed(item, [&] { return to_string(parse_precision(item.string())); }));
  });
  read_list(object, "gpus", lists.gpus, [&](const JsonReader& item) { lists.gpus.push_back(item.integer(1)); });
  return lists;
}

}  // namespace

std::vector<Case> sweep_cases(const std::string& path) {
  const std::string where = "sweep '" + path + "'";
  std::vector<std::string> keys = {"networks", "graphs", "schedulers", "batches", "images", "precisions", "gpus"};
  nlohmann::json file;
  try {
    file = parse_json(read_file(path));
  } catch (const Error& e) {
    throw Error(where + ": " + e.what());
  }
  const JsonReader root(file, where);
  const std::vector<JsonReader> entries = root.at("entries").array();
  if (entries.empty()) root.at("entries").fail("the list is empty; an entry {} stands for all that is common");
  CaseList list;
  std::vector<std::string> files;
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i].named(where + ", entry " + std::to_string(i + 1)).check_keys(keys);
  keys.insert(keys.end(), {"entries", "$schema"});
  root.check_keys(keys);
  const Selection common = read_selection(root, {});
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const JsonReader entry = entries[i].named(where + ", entry " + std::to_string(i + 1));
    const Selection lists = read_selection(entry, common);
    files.insert(files.end(), lists.files.begin(), lists.files.end());
    placed(entry, [&] { list.add(lists); });
  }
  placed(root, [&] { graph_files(files); });  // names must be unique across all entries
  return list.cases();
}

}  // namespace opsched::bench
