// A schedule with all the latencies that its simulation needs.
#pragma once

#include <utility>
#include <vector>

#include "core/cost/cost_model.hpp"

namespace opsched {

/// Looked up once, so that the schedule can be simulated under many contention laws. Refers to nothing outside.
struct PreparedSchedule {
  /// Of a valid schedule; `cost`: of the scheduled graph.
  PreparedSchedule(Latencies& cost, const Schedule& schedule);

  /// What an operator takes longer in a schedule than alone.
  struct Extra {
    int kernels = 0;      ///< 0: none; 2: several
    double sum_ms = 0;    ///< latency alone of a sum that convolutions do
    bool remote = false;  ///< does it read from, or is it read by, another device?
    double ms(const ContentionLaw& law) const;
  };
  /// What starts and ends as one: in dataflow mode an operator, or all operators of a merge; in barrier mode a stage.
  struct Unit {
    std::vector<OpId> ops;
    int device = 0, stream = 0;
    int next = -1;  ///< the unit that follows on the same stream or, in barrier mode, on the same device; -1: none
    int waits = 0;  ///< incoming edges from other units, and 1 for the unit before it
    double ms = 0, utilisation = 1;
    bool merge = false;
    std::vector<std::vector<Extra>> extras;  ///< by group of the stage; in dataflow mode a single one

    /// Extra time of the slowest group.
    double extra_ms(const ContentionLaw& law) const;
  };
  struct Reader {
    int unit;
    int transfer = -1;          ///< index of Output::transfers; -1: on the same device
    bool other_stream = false;  ///< dataflow: on another stream of the same device
    double transfer_ms = 0;     ///< of what this one reads
  };
  /// Of an operator, or an input of the graph.
  struct Output {
    int device = 0;
    std::vector<Reader> readers;                    ///< in other units; of an input: on other devices
    std::vector<std::pair<int, double>> transfers;  ///< destination, and the longest time of its readers there, ms
  };

  Mode mode;
  Topology topology;
  int devices = 0;
  double further_devices = 0;  ///< used ones beyond the first
  std::vector<Slot> slots;     ///< by OpId
  std::vector<Unit> units;
  std::vector<Output> outputs;  ///< by OpId
  std::vector<OpId> inputs;     ///< of the graph

 private:
  void add_stages(Latencies& cost, const Schedule& schedule);
  void add_dataflow_units(Latencies& cost, const Schedule& schedule);
  void add_readers(Latencies& cost, OpId op);
  void leave_out_sums(Latencies& cost, const Stage& stage, Unit& unit) const;
  Extra extra(Latencies& cost, OpId op) const;
  bool is_done(OpId op) const { return !sum_done_by_[op].empty(); }

  std::vector<int> unit_of_;                    ///< by OpId; -1: none
  std::vector<bool> remote_;                    ///< by OpId
  std::vector<std::vector<OpId>> sum_done_by_;  ///< by OpId (sums_done.hpp)
};

}  // namespace opsched
