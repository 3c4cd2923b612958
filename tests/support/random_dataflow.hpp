// Random schedules in dataflow mode.
#pragma once

#include <random>
#include <utility>
#include <vector>

#include "core/schedule/schedule.hpp"

namespace opsched::test {

/// Places every operator on a random device and stream, in order: valid in dataflow mode.
inline Schedule random_dataflow(const Graph& graph, int devices, int streams, std::mt19937_64& random) {
  Schedule schedule;
  schedule.mode = Mode::dataflow;
  schedule.devices.resize(devices);
  for (auto& device : schedule.devices) device.stages.push_back({Strategy::concurrent, std::vector<Group>(streams)});
  for (OpId op : graph.units()) schedule.devices[random() % devices].stages[0].groups[random() % streams].push_back(op);
  for (auto& device : schedule.devices)
    std::erase_if(device.stages[0].groups, [](const Group& g) { return g.empty(); });
  for (auto& device : schedule.devices) std::erase_if(device.stages, [](const Stage& s) { return s.groups.empty(); });
  return schedule;
}

}  // namespace opsched::test
