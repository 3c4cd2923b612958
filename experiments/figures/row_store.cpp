#include "experiments/figures/row_store.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {

namespace fs = std::filesystem;

std::map<std::string, FigureData> read_figures(const std::string& folder) {
  std::map<std::string, FigureData> known;
  for (const Figure& figure : figures()) {
    const std::string file = (fs::path(folder) / (figure.name + ".json")).string();
    if (fs::exists(file)) known.emplace(figure.name, figure_from_json(read_file(file), file));
  }
  return known;
}

RowStore::RowStore(std::string folder, std::string source, bool measures, bool fresh)
    : folder_(std::move(folder)), journal_(path("rows.journal")) {
  if (!fresh) {
    written_ = read_figures(folder_);
    for (const auto& [name, figure] : written_)
      for (const ItemRows& item : figure.items)
        if (std::ranges::all_of(item.rows, [&](const Row& row) {
              return row.result.how == "measured" && (!measures || row.source == source);
            }))
          keep(item);
    read_journal(source);
  }
  if (resumed_ == 0) {
    journal_.clear();
    journal_.append(nlohmann::json{{"source", source}}.dump());
  }
}

void RowStore::read_journal(const std::string& source) {
  if (journal_.empty()) return;
  std::istringstream lines(read_file(journal_.path()));
  std::string line;
  std::getline(lines, line);
  if (nlohmann::json::parse(line, nullptr, false).value("source", "") != source) return;
  while (std::getline(lines, line)) {
    keep(item_from_line(line, journal_.path()));
    ++resumed_;
  }
}

void RowStore::keep(ItemRows item) {
  const std::string key = item.item;
  items_.insert_or_assign(key, std::move(item));
}

const ItemRows* RowStore::find(const std::string& item) const {
  const auto it = items_.find(item);
  return it == items_.end() ? nullptr : &it->second;
}

void RowStore::add(ItemRows item) {
  if (std::ranges::all_of(item.rows, [](const Row& row) { return row.result.skipped.empty(); }))
    journal_.append(to_line(item));
  keep(std::move(item));
}

void RowStore::write(const FigureData& data) const {
  const auto old = written_.find(data.figure);
  if (old != written_.end()) {
    FigureData same = data;
    same.command = old->second.command;
    if (to_json(same) == to_json(old->second)) return;
  }
  write_file_atomically(path(data.figure + ".json"), to_json(data));
  write_file_atomically(path(data.figure + ".csv"), to_csv(data));
}

}  // namespace opsched::figures
