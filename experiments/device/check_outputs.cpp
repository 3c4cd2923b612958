#include "experiments/device/check_outputs.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/error.hpp"
#include "core/names.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/tolerance.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

/// Factor on the tolerance for inner values: they may be small differences of large numbers.
constexpr double kInside = 3;

/// A graph and schedule in which every operator's output is a graph output: it is read by an additional join, and all
/// joins form a last stage. A join of one value is only a name, so the same kernels run in the same places, but no
/// memory is reused. A split operator is observed as a whole.
struct Observed {
  Graph graph;
  Schedule schedule;
  std::vector<OpId> of;  ///< output number -> operator

  Observed(const Graph& from, const Schedule& s) : graph(from), schedule(s), of(from.outputs()) {
    for (OpId op : from.units()) {
      if (from.succs(op).empty()) continue;
      graph.add(observer(from, op), {graph.all(op)}, {});
      of.push_back(op);
    }
    if (graph.size() > from.size()) graph.end_block("observed");
    const std::shared_ptr<const Graph> scheduled = scheduled_graph(graph, s);
    const std::vector<Slot> slots = slots_of(*scheduled, s);
    std::vector<Group> names(s.devices.size());
    for (OpId op : from.units()) {
      const OpId now = scheduled->find(from.op(op).name);
      const OpId first = scheduled->op(now).is_stack() ? scheduled->strips(now).front() : now;
      if (!from.succs(op).empty()) names[slots[first].device].push_back(scheduled->find(observer(from, op)));
    }
    for (std::size_t d = 0; d < names.size(); ++d) {
      if (!s.launch_order.empty()) std::ranges::copy(names[d], std::back_inserter(schedule.launch_order));
      if (!names[d].empty()) schedule.devices[d].stages.push_back({.groups = {std::move(names[d])}});
    }
    if (!schedule.priority.empty()) schedule.priority.resize(scheduled->size(), 0);
  }

 private:
  static std::string observer(const Graph& from, OpId op) { return from.op(op).name + " (observed)"; }
};

std::vector<Tensor> inputs_from(const Graph& graph, std::uint64_t seed) {
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs())
    inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, seed + inputs.size()));
  return inputs;
}

/// The error that rounding explains. In most graphs errors hardly grow from operator to operator, and a fixed tolerance
/// is enough. A larger error is compared with the effect of rounding alone on the reference for this graph, weights and
/// input.
class Tolerated {
 public:
  Tolerated(const Graph& graph, const std::vector<Tensor>& inputs, std::uint64_t seed, Precision precision,
            const std::vector<Tensor>& expected)
      : expected_(expected), precision_(precision), reference_([&graph, &inputs, seed, precision] {
          return reference_outputs(graph, inputs, seed, {}, precision);
        }) {}

  /// Throws if the error of output `i` exceeds `times` the error that rounding explains.
  void require(double error, std::size_t i, double times, const std::string& what) {
    double allowed = times * output_tolerance(precision_);
    if (error <= allowed) return;
    if (!is_as_accurate_as_fp32(precision_)) {
      if (rounded_.empty()) rounded_ = reference_();
      allowed = std::max(allowed, kElsewhere * relative_error(rounded_[i], expected_[i]));
      if (error <= allowed) return;
    }
    throw std::runtime_error(what + " is wrong: its relative error is " + significant(error, 2) +
                             ", rounding explains " + significant(allowed, 2));
  }

 private:
  static constexpr double kElsewhere = 2;  ///< allows for kernels that round at other points than the reference
  const std::vector<Tensor>& expected_;
  Precision precision_;
  std::function<std::vector<Tensor>()> reference_;
  std::vector<Tensor> rounded_;  ///< made on first use
};

/// Throws Error if an operator's output exceeds the range of fp16, because then there is nothing to compare.
void require_range(const Graph& graph, const std::vector<OpId>& of, const std::vector<Tensor>& expected) {
  constexpr float kLargest = 65504;
  OpId first = -1;
  float reached = 0;
  for (std::size_t i = 0; i < of.size(); ++i) {
    float largest = 0;
    for (float value : expected[i].data) largest = std::max(largest, std::abs(value));
    if (largest > kLargest && (first < 0 || of[i] < first)) first = of[i], reached = largest;
  }
  if (first >= 0)
    throw Error("graph '" + graph.name() + "' overflows fp16 with these weights: operator '" + graph.op(first).name +
                "' reaches " + significant(reached, 2) + ", and the fp16 limit is 65504; use tf32 or fp32");
}

/// One check. `silent` receives the outputs that hardly depend on the input.
OutputCheck check_once(const Graph& graph, const Schedule& schedule, const RunOnce& run, Precision precision,
                       std::uint64_t seed, const std::function<void()>& poll, std::vector<std::string>& silent) {
  const double allowed = output_tolerance(precision);
  const std::size_t outputs = graph.outputs().size();
  const Observed all(graph, schedule);
  const std::vector<Tensor> inputs = inputs_from(graph, seed);
  const std::vector<Tensor> expected = reference_outputs(all.graph, inputs, seed);
  if (precision == Precision::fp16) require_range(graph, all.of, expected);
  if (poll) poll();
  Tolerated tolerated(all.graph, inputs, seed, precision, expected);
  OutputCheck check{.compared = static_cast<int>(all.of.size())};
  const auto name = [&](std::size_t i) { return "'" + graph.op(all.of[i]).name + "'"; };
  const std::vector<Tensor> plain = run(graph, schedule, seed, inputs);
  for (std::size_t i = 0; i < outputs; ++i) {
    const double error = relative_error(plain[i], expected[i]);
    tolerated.require(error, i, 1, "output " + name(i));
    check.outputs = std::max(check.outputs, error);
  }
  if (poll) poll();
  const std::vector<Tensor> observed = run(all.graph, all.schedule, seed, inputs);
  // Errors spread, so the first wrong operator is the faulty one.
  std::vector<std::size_t> order(all.of.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return all.of[i]; });
  for (std::size_t i : order) {
    const double error = relative_error(observed[i], expected[i]);
    tolerated.require(error, i, i < outputs ? 1 : kInside, "what operator " + name(i) + " computes");
    if (error >= check.operators) check.worst = graph.op(all.of[i]).name;
    check.operators = std::max(check.operators, error);
  }
  if (poll) poll();
  const std::vector<Tensor> others = reference_outputs(graph, inputs_from(graph, ~seed), seed);
  for (std::size_t i = 0; i < outputs; ++i)
    if (relative_error(others[i], expected[i]) <= 2 * allowed) silent.push_back(name(i));
  return check;
}

}  // namespace

std::string OutputCheck::operators_text() const {
  return "largest relative error of " + counted(compared, "operator") + " " + significant(operators, 2) + ", of '" +
         worst + "'";
}

OutputCheck check_outputs(const Graph& graph, const Schedule& schedule, const RunOnce& run, Precision precision,
                          std::uint64_t seed, const std::function<void()>& poll) {
  std::vector<std::string> silent;
  OutputCheck check = check_once(graph, schedule, run, precision, seed, poll, silent);
  if (silent.empty()) return check;
  const std::string which =
      silent.size() == 1 ? "output " + silent.front() + " is" : "outputs " + joined(silent) + " are";
  check.remark = which + " the same for any input, so the check would not notice errors before them";
  if (!graph.weights()) return check;
  Graph drawn = graph;
  drawn.set_weights(nullptr);
  silent.clear();
  OutputCheck again = check_once(drawn, schedule, run, precision, seed, poll, silent);
  again.remark = "with the model's own weights " + check.remark + "; these numbers use drawn weights" +
                 (silent.empty() ? "" : ", where " + joined(silent) + " still do not depend on the input");
  again.outputs = std::max(again.outputs, check.outputs);
  return again;
}

OutputCheck check_outputs(const Graph& graph, const Schedule& schedule, Device* device, Precision precision,
                          std::uint64_t seed, const std::function<void()>& poll) {
  const RunOnce on_cpu = [](const Graph& g, const Schedule& s, std::uint64_t weights, const auto& inputs) {
    return make_cpu_executor(g, s, weights)->run(inputs);
  };
  if (device == nullptr) return check_outputs(graph, schedule, on_cpu, Precision::fp32, seed, poll);
  const RunOnce on_device = [&](const Graph& g, const Schedule& s, std::uint64_t weights, const auto& inputs) {
    const std::unique_ptr<CostModel> costs = device->costs(g, precision);
    return device->executor(*costs, s, precision, weights)->run(inputs);
  };
  // The graph as the device runs it: where ReLUs were moved, operators compute other values than in the network.
  const std::unique_ptr<CostModel> costs = device->costs(graph, precision);
  return check_outputs(costs->graph(), schedule, on_device, precision, seed, poll);
}

}  // namespace opsched
