// ios-dataflow: the stages of ios-both, run without barriers.
#include "schedulers/ios/dataflow.hpp"

#include <algorithm>
#include <tuple>

#include "core/graph/algorithms.hpp"
#include "schedulers/ios/search.hpp"
#include "schedulers/options.hpp"

namespace opsched {
namespace {

/// Assigns every group to the stream where it waits least for operators that it does not depend on.
class Streams {
 public:
  Streams(const Graph& graph, int most) : graph_(graph), most_(most), ancestors_(ancestors(to_dag(graph))) {}

  Stage place(const Stage& stage, int index) {
    std::vector<int> open(stage.groups.size());
    for (std::size_t g = 0; g < open.size(); ++g) open[g] = static_cast<int>(g);
    // A merged convolution is a stage with one group, on the first stream.
    std::vector<int> free(stage.strategy == Strategy::merge ? 1 : std::max<std::size_t>(most_, open.size()));
    for (std::size_t s = 0; s < free.size(); ++s) free[s] = static_cast<int>(s);
    if (tails_.size() < free.size()) tails_.resize(free.size());
    Stage placed{.strategy = stage.strategy, .groups = {}};
    while (!open.empty()) {
      // Pick the best pair overall. There are few groups and streams, so all pairs are tried.
      std::tuple<int, int, int> best{-1, 0, 0};
      std::size_t best_group = 0, best_stream = 0;
      for (std::size_t g = 0; g < open.size(); ++g)
        for (std::size_t s = 0; s < free.size(); ++s) {
          const auto rank = rank_of(stage.groups[open[g]].front(), free[s]);
          if (rank > best) std::tie(best, best_group, best_stream) = std::tuple(rank, g, s);
        }
      const int stream = free[best_stream];
      const Group& group = stage.groups[open[best_group]];
      if (static_cast<int>(placed.groups.size()) <= stream) placed.groups.resize(stream + 1);
      placed.groups[stream] = group;
      tails_[stream] = {group.back(), index};
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(best_group));
      free.erase(free.begin() + static_cast<std::ptrdiff_t>(best_stream));
    }
    return placed;
  }

 private:
  struct Tail {
    OpId op = -1;  ///< last operator of the stream
    int stage = -1;
  };

  /// Larger is better: first after an operator that this one reads (saves a wait), then after an ancestor, then on an
  /// empty stream, then after the operator that was placed longest ago.
  std::tuple<int, int, int> rank_of(OpId op, int stream) const {
    const Tail& tail = tails_[stream];
    if (tail.op < 0) return {1, 0, -stream};
    if (std::ranges::binary_search(graph_.preds(op), tail.op)) return {3, tail.stage, -stream};
    if (ancestors_[op].test(tail.op)) return {2, tail.stage, -stream};
    return {0, -tail.stage, -stream};
  }

  const Graph& graph_;
  int most_;
  std::vector<boost::dynamic_bitset<>> ancestors_;
  std::vector<Tail> tails_;
};

Schedule make_ios_dataflow(const SchedulerRequest& request) {
  SchedulerOptions search = request.options;
  search.erase("streams");
  const int streams = OptionReader(request.options).integer("streams", 16, 1, 1024);
  const Graph& graph = request.cost.graph();
  const auto found = [&](const Schedule& barrier) {
    if (request.found) request.found(without_barriers(graph, barrier, streams));
  };
  return without_barriers(graph, ios_search(request, ios_search_options(search), found).schedule, streams);
}

}  // namespace

Schedule without_barriers(const Graph& graph, const Schedule& barrier, int streams) {
  Schedule schedule = barrier;
  schedule.mode = Mode::dataflow;
  for (DeviceSchedule& device : schedule.devices) {
    Streams spread(graph, streams);
    int index = 0;
    for (Stage& stage : device.stages) stage = spread.place(stage, index++);
  }
  return schedule;
}

SchedulerInfo ios_dataflow_scheduler() {
  std::map<std::string, std::string> options = ios_option_texts();
  options["streams"] = "maximum number of streams, unless a stage has more groups (16)";
  return {.name = "ios-dataflow",
          .summary = "the stages and merges of ios-both without barriers, as an order and streams",
          .max_devices = 1,
          .options = options,
          .make = make_ios_dataflow};
}

}  // namespace opsched
