#include "experiments/processes/found_devices.hpp"

#include <nlohmann/json.hpp>

#include "core/parallel.hpp"
#include "experiments/device/device.hpp"
#include "experiments/device/host_name.hpp"

namespace opsched {
namespace {

using nlohmann::json;

const char* const kFindDevices = "find devices";  // order

std::string devices_here() {
  return json{{"host", host_name()}, {"cores", processors()}, {"gpus", gpu_names()}, {"no_gpu", why_no_gpu()}}.dump();
}

}  // namespace

std::vector<FoundDevices> found_devices(ProcessGroup& processes) {
  if (processes.size() > 1) give_order(processes, kFindDevices);
  std::vector<FoundDevices> all;
  for (const std::string& text : processes.gather(devices_here())) {
    const json found = json::parse(text);
    all.push_back(
        {.host = found.at("host"), .cores = found.at("cores"), .gpus = found.at("gpus"), .no_gpu = found.at("no_gpu")});
  }
  return all;
}

OrderHandlers found_devices_handlers(ProcessGroup& processes) {
  return {{kFindDevices, [&processes](const std::string&) { processes.gather(devices_here()); }}};
}

}  // namespace opsched
