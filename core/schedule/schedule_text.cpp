#include "core/schedule/schedule_text.hpp"

#include <charconv>
#include <string_view>

#include "core/error.hpp"

namespace opsched {
namespace {

void add_ids(std::string& text, const std::vector<OpId>& ids) {
  bool first = true;
  for (OpId id : ids) {
    if (!first) text += ',';
    text += std::to_string(id);
    first = false;
  }
}

/// The parts between separators; one empty part of an empty text.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::vector<OpId> read_ids(std::string_view text) {
  std::vector<OpId> ids;
  if (text.empty()) return ids;
  for (std::string_view word : split(text, ',')) {
    OpId id = -1;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc{} || end != word.data() + word.size() || id < 0)
      throw Error("not the text of a schedule: '" + std::string(word) + "' is no operator");
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

std::string to_text(const Schedule& schedule) {
  std::string text = schedule.mode == Mode::barrier ? "b" : "d";
  for (const DeviceSchedule& device : schedule.devices) {
    char separator = ';';
    if (device.stages.empty()) text += separator;
    for (const Stage& stage : device.stages) {
      text += separator;
      separator = '/';
      if (stage.strategy == Strategy::merge) text += 'm';
      for (std::size_t g = 0; g < stage.groups.size(); ++g) {
        if (g > 0) text += '|';
        add_ids(text, stage.groups[g]);
      }
    }
  }
  if (!schedule.launch_order.empty()) {
    text += '@';
    add_ids(text, schedule.launch_order);
  }
  return text;
}

Schedule schedule_from_text(const std::string& text) {
  Schedule schedule;
  const std::vector<std::string_view> halves = split(text, '@');
  const std::vector<std::string_view> devices = split(halves[0], ';');
  if (halves.size() > 2 || (devices[0] != "b" && devices[0] != "d"))
    throw Error("not the text of a schedule: '" + text.substr(0, 60) + "'");
  schedule.mode = devices[0] == "b" ? Mode::barrier : Mode::dataflow;
  for (std::size_t d = 1; d < devices.size(); ++d) {
    DeviceSchedule& device = schedule.devices.emplace_back();
    if (devices[d].empty()) continue;
    for (std::string_view part : split(devices[d], '/')) {
      Stage& stage = device.stages.emplace_back();
      if (part.starts_with('m')) {
        stage.strategy = Strategy::merge;
        part.remove_prefix(1);
      }
      for (std::string_view group : split(part, '|')) stage.groups.push_back(read_ids(group));
    }
  }
  if (halves.size() == 2) schedule.launch_order = read_ids(halves[1]);
  return schedule;
}

}  // namespace opsched
