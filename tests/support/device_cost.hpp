// TrueDevice behind MeasuredCost: requests are measured into a profile, as on a GPU.
#pragma once

#include <memory>
#include <utility>

#include "core/cost/profile/measured.hpp"
#include "tests/support/true_device.hpp"

namespace opsched::test {

class TrueStopwatch : public Stopwatch {
 public:
  TrueStopwatch(const Graph& graph, std::uint64_t seed) : graph_(graph), seed_(seed), device_(seed) {}

  std::unique_ptr<Stopwatch> of(const Graph& graph) override { return std::make_unique<TrueStopwatch>(graph, seed_); }

  void time_stages(std::span<const StageRequest> requests, const Done& done) override {
    for (std::size_t i = 0; i < requests.size(); ++i) done(i, device_.stage(graph_, requests[i].stage));
  }
  ProfileEntry time_schedule(const Schedule& schedule) override { return device_.schedule(graph_, schedule); }
  std::vector<ProfileEntry> time_in_turn(std::span<const Schedule> schedules) override {
    std::vector<ProfileEntry> records;
    for (const Schedule& schedule : schedules) records.push_back(time_schedule(schedule));
    return records;
  }

 private:
  const Graph& graph_;
  std::uint64_t seed_;
  TrueDevice device_;
};

/// Several TrueDevices, whose transfers take no time if the profile has none.
class DeviceCost : public MeasuredCost {
 public:
  DeviceCost(const Graph& graph, Profile& profile, std::uint64_t seed)
      : MeasuredCost(graph, profile, std::make_unique<TrueStopwatch>(graph, seed), TrueDevice::kMacsPerMs),
        profile_(profile) {}

  double transfer_ms(OpId producer, OpId consumer, int from, int to) override {
    return profile_.transfers().empty() ? 0 : MeasuredCost::transfer_ms(producer, consumer, from, to);
  }

 private:
  const Profile& profile_;
};

}  // namespace opsched::test
