// The schedule: one type for every strategy and any number of devices.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/graph/graph.hpp"

namespace opsched {

/// Operators that run one after another on one stream.
using Group = std::vector<OpId>;

/// How the operators of a stage run: side by side, or as one merged convolution (IOS, section 3).
enum class Strategy { concurrent, merge };

/// Operators between two barriers. Group g runs on stream g of its device. A merge stage has one
/// group: the convolutions that become one.
struct Stage {
  Strategy strategy = Strategy::concurrent;
  std::vector<Group> groups;
  bool operator==(const Stage&) const = default;
  /// Do several convolutions become one? A merge of a single one runs as if concurrent.
  bool is_merge() const { return strategy == Strategy::merge && groups.front().size() > 1; }
};

/// barrier: a stage begins when the one before it on its device has ended, as in the papers.
/// dataflow: an operator waits only for what it reads and for its predecessor on its stream; stages
/// then only say order and stream, and groups of one stage may depend on each other.
enum class Mode { barrier, dataflow };

/// Kernels have six levels of priority on the GPUs that we know; one with fewer levels clamps to its highest.
constexpr int kMostPriority = 5;

struct DeviceSchedule {
  std::vector<Stage> stages;
  bool operator==(const DeviceSchedule&) const = default;
};

struct Schedule {
  std::string graph;      ///< name of the graph it was made for
  std::string scheduler;  ///< name of the scheduler that made it
  Mode mode = Mode::barrier;
  std::vector<DeviceSchedule> devices;
  /// Order in which operators are handed to the devices, all devices together; empty: the order of
  /// issue_order(). A topological order that agrees with every stream.
  std::vector<OpId> launch_order;
  /// Which of several operators that could run gets a device's multiprocessors: by OpId from 0 to
  /// kMostPriority, larger first; empty: all alike. A hint: no back end's results depend on it.
  std::vector<int> priority{};
  /// Operators that run as strips; all ids above are those of scheduled_graph().
  std::vector<Split> splits{};
  bool operator==(const Schedule&) const = default;
};

/// The graph whose operators a schedule names: `graph`; with the schedule's splits, if it has any that `graph` lacks.
/// validate(), issue_order(), lower() and whatever says so take the graph with or without them. `graph` must outlive
/// it.
std::shared_ptr<const Graph> scheduled_graph(const Graph& graph, const Schedule& schedule);

/// The schedule as it is without its graph: with the splits of `graph`, if it states none.
Schedule stated(const Graph& graph, Schedule schedule);

/// Where an operator sits in a schedule.
struct Slot {
  int device = -1, stage = -1, group = -1, position = -1;
  bool placed() const { return device >= 0; }
};

/// Slot of every operator of the scheduled graph, indexed by OpId; inputs and stacks are not placed. Assumes a valid
/// schedule.
std::vector<Slot> slots_of(const Graph& graph, const Schedule& schedule);

/// The device on which an input of the graph is when a run begins: that of the first operator, by OpId, that reads it.
/// What others read of it is moved to them.
int input_device(const Graph& graph, std::span<const Slot> slots, OpId input);

/// Throws Error naming operator and stage unless every unit runs exactly once, no dependence points
/// backwards within or across devices, no stage or stream waits for itself, and every merge is
/// legal. Every executor calls it first.
void validate(const Graph& graph, const Schedule& schedule);
/// Of validate(): rises when it accepts what it refused, or the reverse, for rankings of other versions then do not
/// compare. tests/core/schedule/frozen_validator_test.cpp holds its verdicts fast.
inline constexpr int kValidatorVersion = 1;

/// May these operators become one convolution? None is a strip. All read the same terms, have the same stride, input
/// and output size, group count 1 and activation, and odd kernels padded alike (centre to centre).
bool can_merge(const Graph& graph, std::span<const OpId> ops);
/// The merged convolution: out-channels add up in order, kernel and padding are the element-wise
/// maximum. Requires can_merge.
Conv2d merged_conv(const Graph& graph, std::span<const OpId> ops);

/// `launch_order` if set; else a topological order: stage by stage on every device, in a stage round
/// robin over its groups, an operator only after everything that it reads. Assumes a valid schedule.
std::vector<OpId> issue_order(const Graph& graph, const Schedule& schedule);

/// Number of stages over all devices.
int stage_count(const Schedule& schedule);

std::string to_string(Strategy strategy);
std::string to_string(Mode mode);

}  // namespace opsched
