// Schedules that were found before, kept on disk.
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/fingerprint.hpp"
#include "core/hash.hpp"
#include "core/nesting.hpp"
#include "core/schedule/schedule_json.hpp"
#include "core/utf8.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {
namespace {

using nlohmann::json;

/// Identifies this build, because a rebuilt program may schedule differently.
std::string program_key() {
  const std::filesystem::path program = "/proc/self/exe";
  std::error_code unknown;  // without /proc, schedules outlive a rebuild
  const auto size = std::filesystem::file_size(program, unknown);
  const auto time = std::filesystem::last_write_time(program, unknown).time_since_epoch().count();
  return unknown ? "" : std::to_string(size) + "-" + std::to_string(time);
}

struct Question {
  json text;
  std::string file;  ///< named after a hash, so the stored question is compared too
};

Question question_of(const std::string& folder, const std::string& scheduler, const SchedulerRequest& request,
                     const std::string& costs_key) {
  const Graph& graph = request.cost.graph();
  const json text = {{"graph", named_fingerprint(graph)}, {"scheduler", scheduler}, {"options", request.options},
                     {"devices", request.devices},        {"costs", costs_key},     {"program", program_key()}};
  const std::string name =
      file_name_part(graph.name()) + "-" + scheduler + "-" + hex_digits(fnv1a(text.dump())) + ".json";
  return {text, (std::filesystem::path(folder) / name).string()};
}

bool exists(const std::string& file) {
  std::error_code unreadable;
  return std::filesystem::exists(file, unreadable);
}

}  // namespace

bool ScheduleStore::holds(const std::string& scheduler, const SchedulerRequest& request,
                          const std::string& costs_key) const {
  return !folder_.empty() && exists(question_of(folder_, scheduler, request, costs_key).file);
}

Found ScheduleStore::find(const std::string& scheduler, const SchedulerRequest& request,
                          const std::string& costs_key) const {
  const Graph& graph = request.cost.graph();
  const Question question = question_of(folder_, scheduler, request, costs_key);
  if (!folder_.empty() && exists(question.file)) try {
      const std::string text = read_file(question.file);
      check_nesting(text);
      const json file = json::parse(text);
      if (file.at("question") == question.text)
        return {.schedule = schedule_from_json(graph, file.at("schedule").dump(), question.file),
                .seconds = file.at("seconds").get<double>(),
                .from_disk = true};
    } catch (const json::exception&) {  // written by another version: searched again below
    } catch (const Error&) {
    }
  const auto begin = std::chrono::steady_clock::now();
  Found found{.schedule = make_schedule(scheduler, request)};
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (folder_.empty()) return found;
  const json file = {{"question", question.text},
                     {"seconds", found.seconds},
                     {"schedule", json::parse(schedule_to_json(graph, found.schedule))}};
  try {
    write_file_atomically(question.file, file.dump(1) + "\n");
  } catch (const Error& e) {
    if (!warned_.exchange(true) && warn_) warn_(std::string("schedules are not stored: ") + e.what());
  }
  return found;
}

}  // namespace opsched::bench
