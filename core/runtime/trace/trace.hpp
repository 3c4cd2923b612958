// The timeline of one run of a schedule, simulated or measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/schedule/schedule.hpp"

namespace opsched {

/// A row of the timeline: a stream of a device, its stages, or its link from another device.
struct TraceRow {
  int device = 0;
  std::string name;  ///< "stream 2", "stages", "from device 1"
};

/// Why an event could not start earlier: the last event it had to wait for.
struct Wait {
  enum class Why { nothing, input, stream, barrier };
  Why why = Why::nothing;
  int event = -1;  ///< index of Trace::events; -1: nothing
};
std::string to_string(Wait::Why why);

struct TraceEvent {
  enum class Kind { stage, compute, transfer };
  Kind kind = Kind::compute;
  int row = 0;                ///< index of Trace::rows
  std::string name;           ///< the operator, "a + b" for a merge; "a: 0 -> 1" for a transfer
  std::string kernel{};       ///< measured: the kernel's name; else empty
  int stage = -1;             ///< of its device; -1: unknown
  double start = 0, end = 0;  ///< ms from the start of the run
  bool estimated = false;     ///< start and end are estimated within a stage whose start and end are exact
  std::int64_t bytes = 0;     ///< of a transfer; 0: unknown
  // A measured kernel's launch; 0: unknown.
  std::int64_t blocks = 0;
  int threads = 0;        ///< of a block
  int blocks_per_sm = 0;  ///< that fit on a multiprocessor at once

  std::vector<OpId> ops{};  ///< of the scheduled graph: one, those of a merge, or what a transfer carries; else none
  // Filled in by explain().
  std::string operation{}, layers{}, shape{};  ///< "conv", "conv 3x3 -> 64 relu", "32x56x56 -> 64x56x56"
  double solo_ms = 0;                          ///< solo latencies of its operators, added up; 0: unknown
  std::vector<int> inputs{};                   ///< events that make what it reads, ascending
  Wait waited_for{};                           ///< the event it waited for last
  bool critical = false;                       ///< on the chain of waits that ends last
};

struct Trace {
  std::string graph, scheduler, source;  ///< `source`: origin of the times, for readers
  int batch = 1;
  std::string precision{};  ///< "fp16"; empty: unknown
  Mode mode = Mode::barrier;
  double makespan = 0;       ///< ms
  int multiprocessors = 0;   ///< of a device; 0: unknown
  int max_warps_per_sm = 0;  ///< that a multiprocessor holds
  std::vector<TraceRow> rows;
  std::vector<TraceEvent> events;

  /// Index of the row, which is added if it does not exist.
  int row(int device, const std::string& name);
};

/// A trace with the rows that a schedule needs: for each device its stages (barrier mode) and streams.
Trace empty_trace(const Graph& graph, const Schedule& schedule);
/// The operators of a merge, joined by " + ".
std::string merged_name(const Graph& graph, const Group& ops);
/// Barrier mode: adds an event for each stage, from its first operator's start to its last one's end.
void add_stages(Trace& trace, const Schedule& schedule);
/// Sorts rows by device and events by row and start. Events that overlap another event in their row move to additional
/// rows: "stream 2 (overlapping)". Measured kernels overlap if a launch is prepared early.
void separate_overlaps(Trace& trace);

/// Trace event format, for Perfetto (ui.perfetto.dev) and chrome://tracing: a process for each device, a thread for
/// each row, an arrow from each event to the readers of its result; times in us.
std::string trace_to_json(const Trace& trace);
/// A Gantt chart: a bar for each event, coloured by kind, with bold edges on the critical path, a legend above and a
/// time axis below. Kinds and path require explain() (explain.hpp).
std::string trace_to_svg(const Trace& trace);

}  // namespace opsched
