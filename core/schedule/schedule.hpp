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

/// How the operators of a stage run: concurrently, or as one merged convolution (IOS, section 3).
enum class Strategy { concurrent, merge };

/// Operators between two barriers. Group g runs on stream g of its device. A merge stage has one group: the
/// convolutions to be merged.
struct Stage {
  Strategy strategy = Strategy::concurrent;
  std::vector<Group> groups;
  bool operator==(const Stage&) const = default;
  /// Are several convolutions merged? A merge of a single one runs as concurrent.
  bool is_merge() const { return strategy == Strategy::merge && groups.front().size() > 1; }
};

/// barrier: a stage starts when the previous one on its device has ended, as in the papers. dataflow: an operator
/// waits only for its inputs and its predecessor on its stream; stages then only define order and streams, and groups
/// of one stage may depend on each other.
enum class Mode { barrier, dataflow };

/// Known GPUs have six priority levels; a GPU with fewer clamps to its highest.
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
  /// Order in which operators are launched, over all devices; empty: issue_order(). A topological order consistent
  /// with every stream.
  std::vector<OpId> launch_order;
  /// Which of several runnable operators gets a device's multiprocessors: by OpId from 0 to kMostPriority, larger
  /// first; empty: all equal. A hint: results never depend on it.
  std::vector<int> priority{};
  /// Split operators; all ids above refer to scheduled_graph().
  std::vector<Split> splits{};
  bool operator==(const Schedule&) const = default;
};

/// The graph to whose operators a schedule refers: `graph`, with the schedule's splits if `graph` lacks them.
/// validate(), issue_order(), lower() and other documented functions accept the graph with or without the splits.
/// `graph` must outlive it.
std::shared_ptr<const Graph> scheduled_graph(const Graph& graph, const Schedule& schedule);

/// The schedule independent of its graph object: with the splits of `graph`, if it has none itself.
Schedule stated(const Graph& graph, Schedule schedule);

/// Position of an operator in a schedule.
struct Slot {
  int device = -1, stage = -1, group = -1, position = -1;
  bool placed() const { return device >= 0; }
};

/// Slot of every operator of the scheduled graph, indexed by OpId; inputs and stacks are not placed. Assumes a valid
/// schedule.
std::vector<Slot> slots_of(const Graph& graph, const Schedule& schedule);

/// The device that holds a graph input when a run starts: that of its first reader by OpId. What others read is
/// transferred to them.
int input_device(const Graph& graph, std::span<const Slot> slots, OpId input);

/// Throws Error naming operator and stage unless every unit runs exactly once, no dependence points backwards within
/// or across devices, there is no deadlock, and every merge is legal. Every executor calls it first.
void validate(const Graph& graph, const Schedule& schedule);
/// Version of validate(): increases when it accepts what it rejected, or the reverse, because rankings of different
/// versions are not comparable. tests/core/schedule/frozen_validator_test.cpp freezes its verdicts.
inline constexpr int kValidatorVersion = 1;

/// Can these operators be merged into one convolution? None is a strip. All read the same terms and have the same
/// stride, input and output size, group count 1, activation, and odd kernels with aligned centres.
bool can_merge(const Graph& graph, std::span<const OpId> ops);
/// The merged convolution: output channels in sequence, element-wise maximum of kernel and padding. Requires
/// can_merge.
Conv2d merged_conv(const Graph& graph, std::span<const OpId> ops);

/// `launch_order` if set; otherwise a topological order: stage by stage on every device, round robin over the groups
/// of a stage, an operator after its inputs. Assumes a valid schedule.
std::vector<OpId> issue_order(const Graph& graph, const Schedule& schedule);

/// Number of stages over all devices.
int stage_count(const Schedule& schedule);

std::string to_string(Strategy strategy);
std::string to_string(Mode mode);

}  // namespace opsched
