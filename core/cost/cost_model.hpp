// The interfaces through which schedulers learn what things cost: Latencies, Capabilities and ScheduleLatencies, one
// for each kind of question, so that a function says in its signature what it asks. A CostModel answers all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/cost/contention/contention_law.hpp"
#include "core/cost/topology.hpp"
#include "core/provenance.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// Latencies of the operators and stages of one graph on devices of one kind; all in ms.
/// Implementations may measure, so calls can be slow and may throw Error; a failed measurement
/// throws, it never returns a value. Answers for equal questions are equal; only estimates (utilisation,
/// estimate_stage_ms, stage_lower_bound_ms) may improve as a model measures more.
class Latencies {
 public:
  virtual ~Latencies() = default;

  virtual const Graph& graph() const = 0;
  /// Solo latency: this operator alone on the device, including the barrier that ends a stage.
  virtual double operator_ms(OpId op) = 0;
  /// Fraction of the device that the operator keeps busy when alone, in (0, 1].
  virtual double utilisation(OpId op) = 0;
  /// Device time that the operator takes in barrier mode, whatever runs beside it. The sum over operators, divided by
  /// the devices, is a lower bound of every such makespan. Default: operator_ms * utilisation.
  virtual double work_ms(OpId op) { return operator_ms(op) * utilisation(op); }
  /// A stage between two barriers.
  virtual double stage_ms(const Stage& stage) = 0;
  /// A cheap estimate of stage_ms that never measures a stage of several operators. Default: stage_ms.
  virtual double estimate_stage_ms(const Stage& stage) { return stage_ms(stage); }
  /// A number that stage_ms cannot go below; cheap. Default: 0.
  virtual double stage_lower_bound_ms(const Stage&) { return 0; }
  /// Moving what `consumer` reads of `producer` from one device to another.
  virtual double transfer_ms(OpId producer, OpId consumer, int from, int to) = 0;
  /// Two pairs of different devices of one class have the same transfer_ms for all that moves; so searches ask less.
  /// Default: every pair is a class of its own.
  virtual std::int64_t link_class(int from, int to) const { return static_cast<std::int64_t>(from) << 32 | to; }
  /// Which devices share a host or a process. Default: one process of one host has all.
  virtual const Topology& topology() const;
  /// stage_ms will be asked for these stages; a model that measures may measure them together.
  virtual void prefetch(std::span<const Stage>) {}
};

/// What a model knows, and how its answers are to be taken. The defaults are those of a model whose formulas are the
/// truth: it knows every stage and measures nothing.
class Capabilities {
 public:
  virtual ~Capabilities() = default;

  /// Whether stage_ms and schedule_ms measure what is not known: slow, but then true. False: stage_ms estimates it,
  /// schedule_ms does not answer.
  virtual bool measures() const { return false; }
  /// Whether the bounds of bounds.hpp hold for every schedule. False: they are estimates.
  virtual bool bounds_hold() const { return true; }
  /// Whether stage_known is true of every stage.
  virtual bool all_stages_known() const { return true; }
  /// Whether stage_ms needs no measurement and no estimate for this stage. Searches prefer stages that are known.
  virtual bool stage_known(const Stage&) const { return all_stages_known(); }
  /// A quick look for many stages: false if stage_known is false for every stage of this kind
  /// (stage_kind.hpp).
  virtual bool kind_known(std::uint64_t) const { return true; }
  /// Whether stages of equal signature (signature.hpp) cost the same; then equal parts of a graph need
  /// one search.
  virtual bool structural() const { return false; }
};

/// What is known of whole schedules of the graph.
class ScheduleLatencies {
 public:
  virtual ~ScheduleLatencies() = default;

  /// Latency of a whole schedule, ms, where the model knows better than to add up its stages: by measuring it, or
  /// because it was measured. Default: nothing.
  virtual std::optional<double> schedule_ms(const Schedule&) { return {}; }
  /// schedule_ms will be asked for these schedules, to compare them; a model that measures takes turns between them,
  /// so that no drift of the device favours one.
  virtual void prefetch_schedules(std::span<const Schedule>) {}
  /// Schedules on at most so many devices that schedule_ms answers without measuring; always in the same
  /// order. Default: none.
  virtual std::vector<Schedule> known_schedules(int) { return {}; }
  /// How operators that run at the same time slow each other down, for replays of dataflow schedules. An estimate: it
  /// may improve as a model measures more. Default: processor sharing on utilisations, no overheads.
  virtual ContentionLaw contention_law() { return {}; }
};

/// All costs of one graph on devices of one kind.
class CostModel : public Latencies, public Capabilities, public ScheduleLatencies {
 public:
  /// Of its latencies; for those who show them, not for schedulers.
  virtual Provenance provenance() const = 0;
  /// Costs on the same devices of another graph: graph() with splits. This model and the graph must outlive them.
  /// Default: throws Error, for costs that know one graph only.
  virtual std::unique_ptr<CostModel> of(const Graph& graph);
};

/// Costs of the graph that a schedule's operators are those of (scheduled_graph).
class ScheduledCosts {
 public:
  /// `whole`: costs of the graph with or without the schedule's splits; must outlive this.
  ScheduledCosts(CostModel& whole, const Schedule& schedule);
  CostModel& operator*() const { return *costs_; }
  CostModel* operator->() const { return costs_; }

 private:
  std::shared_ptr<const Graph> graph_;
  std::unique_ptr<CostModel> own_;
  CostModel* costs_;
};

}  // namespace opsched
