// The cost interfaces used by schedulers: Latencies, Capabilities and ScheduleLatencies, one for each kind of
// question, so that the signature of a function shows what it depends on. A CostModel implements all three.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/cost/contention/contention_law.hpp"
#include "core/cost/conv_sums.hpp"
#include "core/cost/topology.hpp"
#include "core/provenance.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// Latencies of the operators and stages of one graph on devices of one type, in ms. Implementations may measure, so
/// calls can be slow and may throw Error. A failed measurement throws and never returns a value. Repeated calls return
/// the same value; only estimates (utilisation, estimate_stage_ms, stage_lower_bound_ms) may change as a model
/// measures more.
class Latencies {
 public:
  virtual ~Latencies() = default;

  virtual const Graph& graph() const = 0;
  /// Solo latency: the operator alone on the device, including the barrier that ends a stage.
  virtual double operator_ms(OpId op) = 0;
  /// Fraction of the device that the operator uses when alone, in (0, 1].
  virtual double utilisation(OpId op) = 0;
  /// Device time of the operator in barrier mode, independent of concurrent operators. The sum over operators, divided
  /// by the number of devices, is a lower bound on every barrier makespan. Default: operator_ms * utilisation.
  virtual double work_ms(OpId op) { return operator_ms(op) * utilisation(op); }
  /// A stage between two barriers.
  virtual double stage_ms(const Stage& stage) = 0;
  /// A cheap estimate of stage_ms that never measures a stage with several operators. Default: stage_ms.
  virtual double estimate_stage_ms(const Stage& stage) { return stage_ms(stage); }
  /// A cheap lower bound on stage_ms. Default: 0.
  virtual double stage_lower_bound_ms(const Stage&) { return 0; }
  /// Transfer of what `consumer` reads from `producer`, from one device to another.
  virtual double transfer_ms(OpId producer, OpId consumer, int from, int to) = 0;
  /// Two device pairs of the same class have the same transfer_ms for every tensor, so searches need fewer calls.
  /// Default: every pair has its own class.
  virtual std::int64_t link_class(int from, int to) const { return static_cast<std::int64_t>(from) << 32 | to; }
  /// Which devices share a host or a process. Default: all devices belong to one process.
  virtual const Topology& topology() const;
  /// Sums that convolutions of this device do, if the schedule lets them. Their operator_ms is that of the sum alone.
  /// Default: none.
  virtual std::span<const ConvSum> conv_sums() const { return {}; }
  /// Announces that stage_ms will be called for these stages, so that a measuring model can measure them together.
  virtual void prefetch(std::span<const Stage>) {}
};

/// What a model knows, and how to interpret its answers. The defaults describe an exact model that knows every stage
/// and never measures.
class Capabilities {
 public:
  virtual ~Capabilities() = default;

  /// Whether stage_ms and schedule_ms measure unknown latencies (slow, but accurate). If false, stage_ms returns an
  /// estimate and schedule_ms returns nothing.
  virtual bool measures() const { return false; }
  /// Whether the bounds in bounds.hpp are valid for every schedule. If false, they are estimates.
  virtual bool bounds_hold() const { return true; }
  /// Whether stage_known is true for every stage.
  virtual bool all_stages_known() const { return true; }
  /// Whether stage_ms needs neither a measurement nor an estimate for this stage. Searches prefer known stages.
  virtual bool stage_known(const Stage&) const { return all_stages_known(); }
  /// A quick check for many stages: false if stage_known is false for every stage of this kind (stage_kind.hpp).
  virtual bool kind_known(std::uint64_t) const { return true; }
  /// Whether stages with equal signatures (signature.hpp) have equal costs, so that identical parts of a graph are
  /// searched once.
  virtual bool structural() const { return false; }
};

/// Latencies of whole schedules of the graph.
class ScheduleLatencies {
 public:
  virtual ~ScheduleLatencies() = default;

  /// Latency of a whole schedule, ms, if the model can do better than adding its stages: by measuring it, or because
  /// it was measured. Default: nothing.
  virtual std::optional<double> schedule_ms(const Schedule&) { return {}; }
  /// Announces that schedule_ms will be called to compare these schedules. A measuring model alternates between them,
  /// so that device drift affects all of them equally.
  virtual void prefetch_schedules(std::span<const Schedule>) {}
  /// Schedules on at most this many devices whose schedule_ms needs no measurement, in a fixed order. Default: none.
  virtual std::vector<Schedule> known_schedules(int) { return {}; }
  /// How concurrent operators slow each other down, for simulating dataflow schedules. An estimate that may change as
  /// the model measures more. Default: processor sharing by utilisation, without overheads.
  virtual ContentionLaw contention_law() { return {}; }
};

/// All costs of one graph on devices of one type.
class CostModel : public Latencies, public Capabilities, public ScheduleLatencies {
 public:
  /// Provenance of the latencies; for display, not for schedulers.
  virtual Provenance provenance() const = 0;
  /// Costs of another graph on the same devices: graph() with splits. This model and the graph must outlive the
  /// result. Default: throws Error, for models of a single graph.
  virtual std::unique_ptr<CostModel> of(const Graph& graph);
};

/// Costs of the graph whose operators a schedule refers to (scheduled_graph).
class ScheduledCosts {
 public:
  /// `whole`: costs of the graph with or without the schedule's splits; must outlive this object.
  ScheduledCosts(CostModel& whole, const Schedule& schedule);
  CostModel& operator*() const { return *costs_; }
  CostModel* operator->() const { return costs_; }

 private:
  std::shared_ptr<const Graph> graph_;
  std::unique_ptr<CostModel> own_;
  CostModel* costs_;
};

}  // namespace opsched
