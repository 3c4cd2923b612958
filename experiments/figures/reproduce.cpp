#include "experiments/figures/reproduce.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "core/names.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;
using records::Record;

/// The items of all figures, each made at most once.
class Gathering {
 public:
  Gathering(FigureContext& context, Work& work) : context_(context), work_(work) {}

  void plan(const Item& item) {
    if (!missing(item) || !to_make_.emplace(item.name, true).second) return;
    ++work_.items;
    work_.expected_seconds += item.seconds;
  }

  void show(const Item& item, IndexFigure& figure) {
    context_.report(item.name);
    make(item);
    const records::Records& records = context_.records(item.folder);
    std::vector<std::string> keys = item.keys;
    if (item.select)
      for (const Record* record : records.standing())
        if (item.select(*record)) keys.push_back(record->key());
    if (keys.empty()) figure.missing.push_back({.key = {}, .what = item.name, .why = item.why});
    for (const std::string& key : keys) {
      const Record* record = records.find(key);
      const bool outdated = record != nullptr && why_.contains(item.name) && !stands(item, *record);
      if (record != nullptr && !record->missing.empty())
        figure.missing.push_back({.key = key, .why = record->missing});
      else if (record == nullptr || outdated)
        figure.missing.push_back({.key = key, .why = why_.contains(item.name) ? why_.at(item.name) : item.why});
      else
        figure.records.push_back({.key = key, .folder = item.folder, .labels = item.labels});
    }
  }

 private:
  /// Records in other folders are not checked here.
  bool stands(const Item& item, const Record& record) const { return !item.folder.empty() || context_.stands(record); }

  bool missing(const Item& item) {
    if (!item.make) return false;
    const records::Records& records = context_.records(item.folder);
    return std::ranges::any_of(item.keys, [&](const std::string& key) {
      const Record* record = records.find(key);
      return record == nullptr || !stands(item, *record);
    });
  }

  void make(const Item& item) {
    const auto it = to_make_.find(item.name);
    if (it == to_make_.end() || !std::exchange(it->second, false)) return;
    try {
      item.make(context_);
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error& e) {
      why_[item.name] = e.what();
    }
    context_.device().save();
    ++work_.done;
    work_.expected_seconds_done += item.seconds;
  }

  FigureContext& context_;
  Work& work_;
  std::map<std::string, bool> to_make_;     ///< by item name; false after an attempt
  std::map<std::string, std::string> why_;  ///< why an item could not be made
};

}  // namespace

std::vector<Figure> chosen_figures(const std::vector<std::string>& names) {
  std::vector<Figure> chosen;
  for (const std::string& name : names)
    if (name != "all") chosen.push_back(find_named(figures(), name, "unknown figure '" + name + "'; there are: all, "));
  return chosen.empty() || std::ranges::count(names, "all") > 0 ? figures() : chosen;
}

std::vector<IndexFigure> gather(FigureContext& context, const std::vector<Figure>& chosen, Work& work) {
  Gathering gathering(context, work);
  std::vector<std::vector<Item>> plans;
  for (const Figure& figure : chosen)
    for (const Item& item : plans.emplace_back(figure.items(context.settings()))) gathering.plan(item);
  std::vector<IndexFigure> made;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    IndexFigure& figure =
        made.emplace_back(IndexFigure{.name = chosen[i].name, .title = chosen[i].title, .paper = chosen[i].paper});
    for (const Item& item : plans[i]) gathering.show(item, figure);
  }
  return made;
}

std::string figures_folder(const std::string& results) { return (fs::path(results) / "figures").string(); }

std::string index_file(const std::string& results) { return figures_folder(results) + "/index.json"; }

std::vector<IndexFigure> merged(const std::string& results, const std::vector<IndexFigure>& made) {
  const std::vector<IndexFigure> before = read_index(index_file(results));
  std::vector<IndexFigure> all;
  for (const Figure& figure : figures())
    for (const std::vector<IndexFigure>* from : {&made, &before}) {
      const auto it = std::ranges::find(*from, figure.name, &IndexFigure::name);
      if (it == from->end()) continue;
      all.push_back(*it);
      break;
    }
  return all;
}

std::vector<Standing> standings(const std::string& results) {
  const std::vector<IndexFigure> made = read_index(index_file(results));
  std::map<std::string, records::Records> folders;
  const auto find = [&](const IndexRecord& shown) {
    const auto [it, unknown] = folders.try_emplace(shown.folder);
    if (unknown)
      it->second = records::Records::read(
          shown.folder.empty() ? results : (fs::absolute(results) / ".." / shown.folder).lexically_normal().string());
    return it->second.find(shown.key);
  };
  std::vector<Standing> list;
  for (const Figure& figure : figures()) {
    const auto it = std::ranges::find(made, figure.name, &IndexFigure::name);
    list.push_back({.name = figure.name,
                    .title = figure.title,
                    .state = it == made.end() ? State{"not made", ""} : state_of(*it, find)});
  }
  return list;
}

}  // namespace opsched::figures
