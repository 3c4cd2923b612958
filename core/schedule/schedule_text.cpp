#include "core/schedule/schedule_text.hpp"

#include <charconv>
#include <span>
#include <string_view>

#include "core/error.hpp"

namespace opsched {
namespace {

void add_numbers(std::string& text, const std::vector<int>& numbers) {
  bool first = true;
  for (int number : numbers) {
    if (!first) text += ',';
    text += std::to_string(number);
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

std::vector<int> read_numbers(std::string_view text) {
  std::vector<int> numbers;
  if (text.empty()) return numbers;
  for (std::string_view word : split(text, ',')) {
    int number = -1;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size() || number < 0)
      throw Error("not the text of a schedule: '" + std::string(word) + "' is not a number");
    numbers.push_back(number);
  }
  return numbers;
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
        add_numbers(text, stage.groups[g]);
      }
    }
  }
  if (!schedule.launch_order.empty()) {
    text += '@';
    add_numbers(text, schedule.launch_order);
  }
  if (!schedule.priority.empty()) {
    text += '!';
    add_numbers(text, schedule.priority);
  }
  for (const Split& split : schedule.splits) {
    text += '%' + std::to_string(split.op) + (split.along == Along::images ? "i:" : ":");
    add_numbers(text, split.begins);
  }
  return text;
}

Schedule schedule_from_text(const std::string& text) {
  Schedule schedule;
  const std::vector<std::string_view> with_splits = split(text, '%');
  const std::vector<std::string_view> with_priority = split(with_splits[0], '!');
  const std::vector<std::string_view> halves = split(with_priority[0], '@');
  const std::vector<std::string_view> devices = split(halves[0], ';');
  if (with_priority.size() > 2 || halves.size() > 2 || (devices[0] != "b" && devices[0] != "d"))
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
      for (std::string_view group : split(part, '|')) stage.groups.push_back(read_numbers(group));
    }
  }
  if (halves.size() == 2) schedule.launch_order = read_numbers(halves[1]);
  if (with_priority.size() == 2) schedule.priority = read_numbers(with_priority[1]);
  for (std::string_view words : std::span(with_splits).subspan(1)) {
    std::vector<std::string_view> both = split(words, ':');
    const Along along = both[0].ends_with('i') ? Along::images : Along::rows;
    if (along == Along::images) both[0].remove_suffix(1);
    const std::vector<int> op = read_numbers(both[0]);
    if (both.size() != 2 || op.size() != 1)
      throw Error("not the text of a schedule: '" + std::string(words.substr(0, 60)) + "' is no split");
    schedule.splits.push_back({op[0], read_numbers(both[1]), along});
  }
  return schedule;
}

}  // namespace opsched
