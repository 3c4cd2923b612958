#include "experiments/studies/search_growth.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>

#include "core/cost/cost_model.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"
#include "networks/wiring.hpp"
#include "schedulers/ios/count.hpp"
#include "schedulers/ios/search.hpp"

namespace opsched {
namespace {

/// Memory of the process in MB: "VmRSS" is the current value, "VmHWM" the peak since restart_peak().
double memory_mb(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) * 1024 / 1e6;
  throw Error("/proc/self/status: has no " + field);
}

void restart_peak() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

/// Seconds and peak additional memory of `work`.
template <class Work>
std::pair<double, double> watch(const Work& work) {
  restart_peak();
  const double before = memory_mb("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  work();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {seconds, std::max(0.0, memory_mb("VmHWM") - before)};
}

/// Synthetic latencies, including merges. A stage costs the mean of sequential and fully parallel execution.
class PlainCost : public CostModel {
 public:
  PlainCost(const Graph& graph, std::uint64_t seed) : graph_(graph) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < graph.size(); ++i) ms_.push_back(0.1 + 3.9 * static_cast<double>(random() >> 11) * 0x1p-53);
  }
  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return Provenance::synthetic; }
  double operator_ms(OpId op) override { return ms_[op]; }
  double utilisation(OpId) override { return 0.5; }
  double stage_ms(const Stage& stage) override {
    double sum = 0, longest = 0;
    for (const Group& group : stage.groups) {
      double chain = 0;
      for (OpId op : group) chain += ms_[op];
      sum += chain;
      longest = std::max(longest, chain);
    }
    return 0.5 * (sum + longest);
  }
  double transfer_ms(OpId, OpId, int, int) override { return 0; }

 private:
  const Graph& graph_;
  std::vector<double> ms_;
};

}  // namespace

Graph random_stage(int nodes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const Wiring wiring = watts_strogatz(nodes, 4, 0.75, random);
  Graph graph("ws" + std::to_string(nodes));
  const OpId input = graph.add_input("input", {1, 1, 1});
  std::vector<Term> reads(nodes);
  std::vector<bool> read(nodes);
  for (const auto& [from, to] : wiring.edges) {
    reads[to].push_back({from + 1, 0, 1});
    read[from] = true;
  }
  Term sinks;
  for (int i = 0; i < nodes; ++i) {
    if (reads[i].empty()) reads[i] = graph.all(input);
    graph.add("node" + std::to_string(i), {reads[i]}, {Activate{}});
    if (!read[i]) sinks.push_back({i + 1, 0, 1});
  }
  graph.add("join", {sinks}, {});
  graph.end_block("stage");
  return graph;
}

records::Record search_growth(const Graph& graph, IosOptions space, std::uint64_t seed) {
  space.max_states = kGrowthStates;
  space.max_transitions = kGrowthTransitions;
  records::Record record{.what = {.network = graph.name(), .scheduler = "ios-both", .batch = graph.batch()},
                         .quantity = "search_growth",
                         .unit = "s",
                         .provenance = Provenance::synthetic};
  record.graph = fingerprint(graph);
  try {
    IosCount count;
    const auto [count_seconds, count_mb] = watch([&] { count = count_graph(graph, space).total; });
    PlainCost cost(graph, seed);
    const auto [search_seconds, search_mb] = watch([&] { ios_search(cost, {.space = space}); });
    record.value = search_seconds;
    record.numbers = {{"states", static_cast<double>(count.states)},
                      {"width", count.width},
                      {"transitions", static_cast<double>(count.transitions)},
                      {"distinct_stages", static_cast<double>(count.stages)},
                      {"count_seconds", count_seconds},
                      {"count_mb", count_mb},
                      {"search_mb", search_mb}};
  } catch (const Error& e) {
    record.texts["states"] = count_states(ios_parts(graph, space.max_part_size).front());
    record.missing = e.what();
  }
  return record;
}

}  // namespace opsched
