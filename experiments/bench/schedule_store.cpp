#include "experiments/bench/schedule_store.hpp"

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

namespace opsched::bench {
namespace {

using nlohmann::json;

/// A rebuilt program may schedule differently.
std::string program_key() {
  const std::filesystem::path program = "/proc/self/exe";
  std::error_code unknown;  // no /proc: then schedules outlive a rebuild
  const auto size = std::filesystem::file_size(program, unknown);
  const auto time = std::filesystem::last_write_time(program, unknown).time_since_epoch().count();
  return unknown ? "" : std::to_string(size) + "-" + std::to_string(time);
}

json question_of(const std::string& scheduler, const SchedulerRequest& request, const std::string& costs_key) {
  const Graph& graph = request.cost.graph();
  return {{"graph", named_fingerprint(graph)}, {"scheduler", scheduler}, {"options", request.options},
          {"devices", request.devices},        {"costs", costs_key},     {"program", program_key()}};
}

/// The hash only names the file: the question itself is compared.
std::string file_of(const std::string& folder, const std::string& scheduler, const Graph& graph, const json& question) {
  const std::string name =
      file_name_part(graph.name()) + "-" + scheduler + "-" + hex_digits(fnv1a(question.dump())) + ".json";
  return (std::filesystem::path(folder) / name).string();
}

}  // namespace

bool ScheduleStore::holds(const std::string& scheduler, const SchedulerRequest& request,
                          const std::string& costs_key) const {
  const json question = question_of(scheduler, request, costs_key);
  std::error_code unreadable;
  return !folder_.empty() &&
         std::filesystem::exists(file_of(folder_, scheduler, request.cost.graph(), question), unreadable);
}

Found ScheduleStore::find(const std::string& scheduler, const SchedulerRequest& request,
                          const std::string& costs_key) const {
  if (!folder_.empty()) {
    const Graph& graph = request.cost.graph();
    const json question = question_of(scheduler, request, costs_key);
    const std::string path = file_of(folder_, scheduler, graph, question);
    if (std::error_code unreadable; std::filesystem::exists(path, unreadable)) try {
        const std::string text = read_file(path);
        check_nesting(text);
        const json file = json::parse(text);
        if (file.at("question") == question)
          return {.schedule = schedule_from_json(graph, file.at("schedule").dump(), path),
                  .seconds = file.at("seconds").get<double>(),
                  .from_disk = true};
      } catch (const json::exception&) {  // left by another version: made anew below
      } catch (const Error&) {
      }
  }
  const auto begin = std::chrono::steady_clock::now();
  Found found{.schedule = make_schedule(scheduler, request)};
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  keep(scheduler, request, costs_key, found);
  return found;
}

void ScheduleStore::keep(const std::string& scheduler, const SchedulerRequest& request, const std::string& costs_key,
                         const Found& found) const {
  if (folder_.empty()) return;
  const Graph& graph = request.cost.graph();
  const json question = question_of(scheduler, request, costs_key);
  const json file = {{"question", question},
                     {"seconds", found.seconds},
                     {"schedule", json::parse(schedule_to_json(graph, found.schedule))}};
  try {
    write_file_atomically(file_of(folder_, scheduler, graph, question), file.dump(1) + "\n");
  } catch (const Error& e) {
    if (!warned_.exchange(true) && warn_) warn_(std::string("schedules are not kept: ") + e.what());
  }
}

}  // namespace opsched::bench
