// Checks the outputs of a schedule.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/graph/graph.hpp"
#include "core/schedule/schedule.hpp"
#include "experiments/device/device.hpp"

namespace opsched {

struct OutputCheck {
  double outputs = 0;    ///< largest relative error of the graph's outputs
  double operators = 0;  ///< of what any operator computes
  std::string worst;     ///< the operator that it is of
  int compared = 0;      ///< operators
  std::string remark;    ///< limitations of these numbers; empty: none

  /// "largest relative error of 119 operators 4.2e-07, of 'c1/join'"
  std::string operators_text() const;
};

/// Runs a schedule of a graph once, with weights drawn from `seed` if the graph has none: inputs to outputs.
using RunOnce = std::function<std::vector<Tensor>(const Graph& graph, const Schedule& schedule, std::uint64_t seed,
                                                  const std::vector<Tensor>& inputs)>;

/// Runs twice on random input: the schedule as it is, whose outputs are compared with the reference; and with every
/// operator's output kept until the end, all of which are compared. `precision`: that `run` computes in. Weights are
/// the graph's own, or drawn from `seed`. A model's own weights may leave next to nothing of the input in its outputs;
/// where two inputs give the same outputs, the check is repeated with drawn weights, which keep the variance from layer
/// to layer. Throws std::runtime_error naming the operator where an error is larger than rounding explains
/// (tolerance.hpp, three times that for what is no output of the graph; or twice what rounding does to the
/// reference of this graph). Calls `poll` between its steps; it may throw.
OutputCheck check_outputs(const Graph& graph, const Schedule& schedule, const RunOnce& run, Precision precision,
                          std::uint64_t seed, const std::function<void()>& poll = {});
/// `device` measures, or is nullptr: then the schedule runs on the CPU, in fp32.
OutputCheck check_outputs(const Graph& graph, const Schedule& schedule, Device* device, Precision precision,
                          std::uint64_t seed, const std::function<void()>& poll = {});

}  // namespace opsched
