// The interface through which schedulers learn what things cost.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/cost/contention/sharing.hpp"
#include "core/provenance.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// Latencies of the operators and stages of one graph on devices of one kind; all in ms.
/// Implementations may measure, so calls can be slow and may throw Error; a failed measurement
/// throws, it never returns a value. Answers for equal questions are equal.
class CostModel {
 public:
  virtual ~CostModel() = default;

  virtual const Graph& graph() const = 0;
  /// Of its latencies.
  virtual Provenance provenance() const = 0;

  /// Solo latency: this operator alone on the device, including the barrier that ends a stage.
  virtual double operator_ms(OpId op) = 0;
  /// Fraction of the device that the operator keeps busy when alone, in (0, 1].
  virtual double utilisation(OpId op) = 0;
  /// What the operator takes of its device in any company: device time, ms. The sum over operators,
  /// divided by the devices, is a lower bound of every makespan. Default: operator_ms * utilisation.
  virtual double work_ms(OpId op) { return operator_ms(op) * utilisation(op); }
  /// A stage between two barriers.
  virtual double stage_ms(const Stage& stage) = 0;
  /// A cheap estimate of stage_ms that never measures. Default: stage_ms.
  virtual double estimate_stage_ms(const Stage& stage) { return stage_ms(stage); }
  /// A number that stage_ms cannot go below; cheap. Default: 0.
  virtual double stage_lower_bound_ms(const Stage&) { return 0; }
  /// Whether stage_ms answers at once with a number as good as it gets; false: it would measure, or, in
  /// a recorded model, fall back on an estimate. Searches prefer stages that are known.
  virtual bool stage_known(const Stage&) { return true; }
  /// A quick look for many stages: false if stage_known is false for every stage of this kind
  /// (stage_kind.hpp). Default: true.
  virtual bool kind_known(std::uint64_t) { return true; }
  /// Whether stages of equal signature (signature.hpp) cost the same; then equal parts of a graph need
  /// one search.
  virtual bool structural() const { return false; }
  /// Moving what `consumer` reads of `producer` from one device to another.
  virtual double transfer_ms(OpId producer, OpId consumer, int from, int to) = 0;
  /// Whether transfer_ms is the same for every pair of different devices; spares schedulers the asking.
  virtual bool uniform_links() const { return false; }
  /// Latency of a whole schedule of this graph, where the model knows better than to add
  /// up its stages: by measuring it, or because it was measured. Default: nothing.
  virtual std::optional<double> schedule_ms(const Schedule&) { return {}; }
  /// These schedules will be asked for, to be compared; a model that measures takes turns between them, so
  /// that no drift of the device favours one.
  virtual void prefetch_schedules(std::span<const Schedule>) {}
  /// Schedules of this graph on at most so many devices that schedule_ms answers without measuring; always in
  /// the same order. Default: none.
  virtual std::vector<Schedule> known_schedules(int) { return {}; }
  /// How operators that run at the same time slow each other down, for replays of dataflow schedules.
  /// Default: processor sharing on utilisations, no overheads.
  virtual Sharing sharing() const { return {}; }
  /// These stages will be asked for; a model that measures may do so together.
  virtual void prefetch(std::span<const Stage>) {}
};

}  // namespace opsched
