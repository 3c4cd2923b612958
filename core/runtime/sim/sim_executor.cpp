#include "core/runtime/sim/sim_executor.hpp"

#include <utility>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/sim/sim_trace.hpp"
#include "core/runtime/sim/simulate.hpp"

namespace opsched {
namespace {

class SimExecutor : public Executor {
 public:
  SimExecutor(CostModel& cost, const Schedule& schedule, const Profile* profile, std::unique_ptr<Executor> numerics)
      : cost_(cost), schedule_(schedule), profile_(profile), numerics_(std::move(numerics)) {
    validate(cost.graph(), schedule);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    if (!numerics_) throw Error("a simulated schedule computes no values: run it on the CPU or a GPU");
    return numerics_->run(inputs);
  }

  std::vector<double> sample(int) override { return {measure({}).median}; }

  Measurement measure(const MeasureOptions&) override {
    if (profile_) {
      if (const ScheduleRecord* known = profile_->find_schedule(fingerprint(cost_.graph()), fingerprint(schedule_))) {
        Measurement m = summarise({known->record.ms});
        m.mad_ratio = known->record.mad_ratio;
        m.runs = known->record.runs;
        m.provenance = Provenance::recorded;
        m.note = "measured on " + profile_->device().name;
        return m;
      }
    }
    Measurement m = summarise({simulate(cost_, schedule_).timeline.makespan});
    m.provenance = cost_.provenance() == Provenance::synthetic ? Provenance::synthetic : Provenance::simulated;
    m.note = profile_ ? "simulated on the profile of " + profile_->device().name : "simulated";
    return m;
  }

  Trace trace() override {
    Trace trace = simulated_trace(cost_, schedule_);
    trace.source = profile_ ? "simulated on the profile of " + profile_->device().name : "simulated";
    return trace;
  }

  std::int64_t activation_bytes(int device) const override { return lowered().arena_bytes.at(device); }
  std::int64_t transfer_bytes() const override { return opsched::transfer_bytes(lowered(), options().element_bytes); }

 private:
  LoweringOptions options() const { return profile_ ? lowering_for(profile_->precision()) : LoweringOptions{}; }
  Program lowered() const { return lower(cost_.graph(), schedule_, options()); }

  CostModel& cost_;
  const Schedule& schedule_;
  const Profile* profile_;
  std::unique_ptr<Executor> numerics_;
};

}  // namespace

std::unique_ptr<Executor> make_sim_executor(CostModel& cost, const Schedule& schedule, const Profile* profile,
                                            std::unique_ptr<Executor> numerics) {
  return std::make_unique<SimExecutor>(cost, schedule, profile, std::move(numerics));
}

}  // namespace opsched
