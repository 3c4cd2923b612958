#include "core/runtime/cuda/measure/measured_cost.hpp"

#include "core/cost/profile/measured.hpp"
#include "core/runtime/cuda/device/peak_rate.hpp"
#include "core/runtime/cuda/measure/stage_timer.hpp"

namespace opsched {
namespace {

class CudaStopwatch final : public Stopwatch {
 public:
  CudaStopwatch(const Graph& graph, const Connect& connect, Precision precision, const ScheduleTimer& several)
      : graph_(graph), connect_(connect), precision_(precision), several_(several), timer_(graph, connect, precision) {}

  void time_stages(std::span<const StageRequest> requests, const Done& done) override { timer_.time(requests, done); }
  ProfileEntry time_schedule(const Schedule& schedule) override {
    return several_ && schedule.devices.size() > 1 ? several_(graph_, schedule) : timer_.time(schedule);
  }
  std::vector<ProfileEntry> time_in_turn(std::span<const Schedule> schedules) override {
    if (!several_) return timer_.time_in_turn(schedules);
    std::vector<ProfileEntry> entries;
    for (const Schedule& schedule : schedules) entries.push_back(time_schedule(schedule));
    return entries;
  }
  std::unique_ptr<Stopwatch> of(const Graph& graph) override {
    return std::make_unique<CudaStopwatch>(graph, connect_, precision_, several_);
  }

 private:
  const Graph& graph_;
  Connect connect_;
  Precision precision_;
  ScheduleTimer several_;
  StageTimer timer_;
};

}  // namespace

std::unique_ptr<CostModel> make_measured_cost(const Graph& graph, Profile& profile, const Connect& connect,
                                              Precision precision, const ScheduleTimer& several) {
  return std::make_unique<MeasuredCost>(graph, profile,
                                        std::make_unique<CudaStopwatch>(graph, connect, precision, several),
                                        peak_macs_per_ms(connect(1).devices.front()->gpu(), precision));
}

}  // namespace opsched
