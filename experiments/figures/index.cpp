// Which records each figure shows: figures/index.json of a results folder.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "experiments/figures/reproduce.hpp"

namespace opsched::figures {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFormat = "opsched figures";
constexpr int kVersion = 1;

ordered_json to_json(const IndexFigure& figure) {
  ordered_json shown = ordered_json::array(), missing = ordered_json::array();
  for (const IndexRecord& record : figure.records) {
    ordered_json& json = shown.emplace_back(ordered_json{{"key", record.key}});
    if (!record.folder.empty()) json["folder"] = record.folder;
    if (!record.labels.empty()) json["labels"] = record.labels;
  }
  for (const IndexGap& gap : figure.missing)
    missing.push_back({{gap.key.empty() ? "what" : "key", gap.key.empty() ? gap.what : gap.key}, {"why", gap.why}});
  return {{"name", figure.name},
          {"title", figure.title},
          {"paper", figure.paper},
          {"records", std::move(shown)},
          {"missing", std::move(missing)}};
}

IndexFigure figure_from(const ordered_json& json) {
  IndexFigure figure{.name = json.at("name"), .title = json.at("title"), .paper = json.at("paper")};
  for (const ordered_json& record : json.at("records"))
    figure.records.push_back({.key = record.at("key"),
                              .folder = record.value("folder", ""),
                              .labels = record.value("labels", std::map<std::string, std::string>{})});
  for (const ordered_json& gap : json.at("missing"))
    figure.missing.push_back({.key = gap.value("key", ""), .what = gap.value("what", ""), .why = gap.at("why")});
  return figure;
}

}  // namespace

std::vector<IndexFigure> read_index(const std::string& file) {
  std::vector<IndexFigure> figures;
  if (!std::filesystem::exists(file)) return figures;
  try {
    const ordered_json json = ordered_json::parse(read_file(file));
    if (!json.is_object() || json.value("format", "") != kFormat || json.value("version", 0) != kVersion)
      throw Error(
          "'" + file +
          "' is not an index of figures of this version; remove it and run opsched reproduce to make a new one");
    for (const ordered_json& figure : json.at("figures")) figures.push_back(figure_from(figure));
  } catch (const ordered_json::exception& e) {
    throw Error("'" + file + "': " + e.what() + "; remove it and run opsched reproduce to make a new one");
  }
  return figures;
}

void write_index(const std::string& file, const std::vector<IndexFigure>& figures) {
  ordered_json list = ordered_json::array();
  for (const IndexFigure& figure : figures) list.push_back(to_json(figure));
  const ordered_json index = {{"format", kFormat}, {"version", kVersion}, {"figures", std::move(list)}};
  const std::string text = index.dump(1) + "\n";
  // The same content may be laid out in another way, or its keys be in another order.
  const auto content = [](const std::string& json) { return nlohmann::json::parse(json, nullptr, false); };
  if (!std::filesystem::exists(file) || content(read_file(file)) != content(text)) write_file_atomically(file, text);
}

State state_of(const IndexFigure& figure, const std::function<const records::Record*(const IndexRecord&)>& find) {
  std::map<Provenance, int> count;
  std::size_t missing = figure.missing.size();
  std::string why = missing == 0 ? "" : figure.missing.front().why;
  for (const IndexRecord& shown : figure.records) {
    const records::Record* record = find(shown);
    if (record != nullptr && record->missing.empty()) {
      ++count[record->provenance];
    } else {
      ++missing;
      if (why.empty()) why = "the record " + shown.key + " is gone";
    }
  }
  const std::size_t all = figure.records.size() + figure.missing.size();
  if (missing == all) return {"not possible", all == 0 ? "nothing to show" : why};
  if (const int simulated = count[Provenance::simulated]; simulated > 0)
    return {"replayed", std::to_string(simulated) + " of " + std::to_string(all) + " records simulated"};
  if (missing > 0) return {"partial", std::to_string(missing) + " of " + std::to_string(all) + " missing: " + why};
  for (const Provenance weakest : {Provenance::recorded, Provenance::measured, Provenance::synthetic})
    if (count[weakest] > 0) return {to_string(weakest), ""};
  return {to_string(Provenance::exact), ""};
}

}  // namespace opsched::figures
