#include "experiments/figures/reproduce.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched::figures {
namespace {

/// Rows of an item; a row that says why where there are none.
ItemRows gather_item(Lab& lab, const Item& item) {
  try {
    return {.item = item.key, .rows = item.gather(lab)};
  } catch (const Error& e) {
    Row row;
    row.result.what = item.what;
    row.result.skipped = e.what();
    return {.item = item.key, .rows = {row}};
  }
}

}  // namespace

std::vector<Figure> chosen_figures(const std::vector<std::string>& names) {
  std::vector<Figure> chosen;
  for (const std::string& name : names)
    if (name != "all") chosen.push_back(find_figure(name));
  return chosen.empty() || std::ranges::count(names, "all") > 0 ? figures() : chosen;
}

void gather(Lab& lab, const ReproduceOptions& options, const std::vector<Figure>& chosen, Work& work) {
  RowStore store(options.out, lab.device().describe(), lab.place().measures, options.fresh);
  work.resumed = store.resumed();
  std::vector<std::vector<Item>> plans;
  std::vector<std::string> keys;
  for (const Figure& figure : chosen) {
    plans.push_back(figure.items(lab.place()));
    for (const Item& item : plans.back())
      if (store.find(item.key) == nullptr && std::ranges::find(keys, item.key) == keys.end()) {
        keys.push_back(item.key);
        work.expected_seconds += item.seconds;
      }
  }
  work.items = static_cast<int>(keys.size());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    FigureData data{.figure = chosen[i].name,
                    .title = chosen[i].title,
                    .paper = chosen[i].paper,
                    .command = options.command,
                    .seed = 1,
                    .items = {}};
    for (const Item& item : plans[i]) {
      lab.report(item.key);
      if (store.find(item.key) == nullptr) {
        store.add(gather_item(lab, item));
        lab.device().save();
        ++work.done;
        work.expected_seconds_done += item.seconds;
      }
      data.items.push_back(*store.find(item.key));
    }
    store.write(data);
  }
  store.finish();
}

std::vector<Standing> standings(const std::string& folder) {
  const std::map<std::string, FigureData> made = read_figures(folder);
  std::vector<Standing> list;
  for (const Figure& figure : figures()) {
    const auto it = made.find(figure.name);
    list.push_back({.name = figure.name,
                    .title = figure.title,
                    .paper = figure.paper,
                    .state = it == made.end() ? State{"not made", ""} : state_of(it->second.items)});
  }
  return list;
}

void write_index(const std::string& folder) {
  using nlohmann::ordered_json;
  ordered_json list = ordered_json::array();
  for (const Standing& figure : standings(folder))
    list.push_back({{"name", figure.name},
                    {"title", figure.title},
                    {"paper", figure.paper},
                    {"state", figure.state.word},
                    {"why", figure.state.why}});
  const ordered_json index = {{"format", "opsched figure index"}, {"version", 1}, {"figures", list}};
  write_file_atomically(folder + "/index.json", index.dump(1) + "\n");
}

}  // namespace opsched::figures
