#include "experiments/device/shared_gpus.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace opsched {
namespace {

using nlohmann::json;

/// GPUs of each process, as numbers among those that it sees. `sights`: what each process sees, as text; equal texts
/// mean the same GPUs.
std::vector<std::vector<int>> shares(const std::vector<std::string>& sights) {
  std::map<std::string, int> count, next;
  for (const std::string& text : sights) ++count[text];
  std::vector<std::vector<int>> all;
  for (std::size_t rank = 0; rank < sights.size(); ++rank) {
    const json seen = json::parse(sights[rank]);
    const int gpus = static_cast<int>(seen.at("gpus").size()), processes = count[sights[rank]];
    const int index = next[sights[rank]]++;
    std::vector<int>& own = all.emplace_back();
    for (int gpu = gpus * index / processes; gpu < gpus * (index + 1) / processes; ++gpu) own.push_back(gpu);
    if (own.empty())
      throw Error("rank " + std::to_string(rank) + " has no GPU: host '" + seen.at("host").get<std::string>() +
                  "' has " + std::to_string(gpus) + " for " + std::to_string(processes) + " processes" +
                  (gpus == 0 ? " (" + seen.at("reason").get<std::string>() + ")" : ""));
  }
  return all;
}

}  // namespace

SharedGpus agree_on_gpus(ProcessGroup& processes, const SeenGpus& seen) {
  const std::vector<std::string> sights =
      processes.gather(json{{"host", seen.host}, {"gpus", seen.ids}, {"reason", seen.reason}}.dump());
  const std::vector<std::vector<int>> all =
      json::parse(processes.broadcast(processes.leads() ? json(shares(sights)).dump() : std::string()));
  SharedGpus shared{.own = all.at(static_cast<std::size_t>(processes.rank()))};
  for (const std::vector<int>& gpus : all) shared.total += static_cast<int>(gpus.size());
  for (const std::string& text : sights) shared.host_of.push_back(json::parse(text).at("host"));
  return shared;
}

}  // namespace opsched
