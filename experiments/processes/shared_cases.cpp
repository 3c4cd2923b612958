#include "experiments/processes/shared_cases.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/device/gpu_processes.hpp"

namespace opsched::bench {
namespace {

using nlohmann::json;

const char* const kShareCases = "share cases";  // order

json to_json(const Case& what) { return {what.name(), what.file}; }

Case case_of(const json& text) {
  std::optional<Case> what = records::parse_case(text.at(0));
  if (!what) throw Error("process 0 asked for the case '" + text.at(0).get<std::string>() + "', which does not exist");
  what->file = text.at(1);
  return *what;
}

json to_json(const Timed& timed) {
  return {{"record", records::to_line(timed.record)},
          {"schedule", timed.schedule.devices.empty() ? "" : to_text(timed.schedule)},
          {"kernels", timed.kernels}};
}

Timed timed_of(const json& text, const Case& what) {
  Timed timed{.record = std::get<records::Record>(records::read_line(text.at("record"))),
              .kernels = text.at("kernels").get<records::KernelChoices>()};
  timed.record.what = what;
  if (const std::string schedule = text.at("schedule"); !schedule.empty())
    timed.schedule = schedule_from_text(schedule);
  return timed;
}

/// Groups neighbours together and keeps the order.
std::vector<std::vector<Case>> neighbourhoods(std::vector<Case> cases) {
  std::ranges::stable_sort(cases, {}, [](const Case& what) { return what.neighbourhood(); });
  std::vector<std::vector<Case>> all;
  for (Case& what : cases) {
    if (all.empty() || all.back().front().neighbourhood() != what.neighbourhood()) all.emplace_back();
    all.back().push_back(std::move(what));
  }
  return all;
}

json run_all(Runner& runner, Device& device, const std::vector<Case>& cases) {
  json results = json::array();
  for (const Case& what : cases) results.push_back(to_json(runner.run(what)));
  device.save();
  return results;
}

void ignore(const std::string&) {}

/// What every process except 0 runs its cases with.
struct CaseRunner {
  std::unique_ptr<Device> device;
  ScheduleStore store;
  Runner runner;

  CaseRunner(const DeviceOptions& options, const std::string& cache, double max_seconds)
      : device(open_device(options)), store(cache), runner(*device, store, {.max_seconds = max_seconds}, ignore) {}
};

/// The order that process 0 sends to all: the cases of each process in this round.
std::string order_text(const Device& device, const ShareOptions& options, const json& shares) {
  return json{{"kind", device.measures() ? "gpu" : "sim"},
              {"folder", device.profile_folder()},
              {"through_host", options.through_host},
              {"late_relu", options.late_relu},
              {"gpus", options.gpus},
              {"cache", options.cache},
              {"max_seconds", options.max_seconds},
              {"shares", shares}}
      .dump();
}

}  // namespace

void share_cases(ProcessGroup& processes, Device& device, const ShareOptions& options, const std::vector<Case>& cases,
                 const std::function<void(Timed)>& arrived) {
  const std::vector<std::vector<Case>> jobs = neighbourhoods(cases);
  const ScheduleStore store(options.cache);
  Runner runner(device, store, {.max_seconds = options.max_seconds}, ignore);
  const auto size = static_cast<std::size_t>(processes.size());
  for (std::size_t first = 0; first < jobs.size(); first += size) {
    json shares = json::array();
    for (std::size_t rank = 0; rank < size; ++rank) {
      json& share = shares.emplace_back(json::array());
      if (first + rank < jobs.size())
        for (const Case& what : jobs[first + rank]) share.push_back(to_json(what));
    }
    give_order(processes, kShareCases, order_text(device, options, shares));
    const std::vector<std::string> results = processes.gather(run_all(runner, device, jobs[first]).dump());
    for (std::size_t rank = 0; rank < size && first + rank < jobs.size(); ++rank) {
      const json texts = json::parse(results[rank]);
      for (std::size_t i = 0; i < texts.size(); ++i) arrived(timed_of(texts[i], jobs[first + rank].at(i)));
    }
  }
}

OrderHandlers share_handlers(ProcessGroup& processes, const std::function<std::vector<int>()>& gpus) {
  const auto runner = std::make_shared<std::unique_ptr<CaseRunner>>();
  return {{kShareCases, [&processes, gpus, runner](const std::string& text) {
             const json order = json::parse(text);
             if (!*runner) {
               DeviceOptions device{.kind = order.at("kind"), .profile = order.at("folder"), .gpus = order.at("gpus")};
               device.through_host = order.at("through_host");
               device.late_relu = order.at("late_relu");
               if (device.kind == "gpu") {
                 device.profile += "/rank-" + std::to_string(processes.rank());
                 device.gpu_ids = gpus();
               }
               *runner = std::make_unique<CaseRunner>(device, order.at("cache"), order.at("max_seconds"));
             }
             std::vector<Case> cases;
             for (const json& what : order.at("shares").at(static_cast<std::size_t>(processes.rank())))
               cases.push_back(case_of(what));
             processes.gather(run_all((*runner)->runner, *(*runner)->device, cases).dump());
           }}};
}

}  // namespace opsched::bench
