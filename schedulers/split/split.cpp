// Splits blocks of operators into strips of rows or images, one strip per device, where that is faster.
//
// Each block is either split or not. Split blocks run on every device as in a schedule for one device; whole operators
// go where they end first. The search starts with nothing split, with everything split, and with everything split up to
// each block. Then it flips one block at a time, as long as the simulated latency improves. It does this for all
// devices, and for 2, 4, 8, ... of them: more strips are not always faster.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "core/graph/blocks.hpp"
#include "core/runtime/sim/simulate.hpp"
#include "schedulers/fastest.hpp"
#include "schedulers/options.hpp"
#include "schedulers/split/spread.hpp"

namespace opsched {
namespace {

class SplitSearch {
 public:
  /// `bases`: schedules for one device.
  SplitSearch(const SchedulerRequest& request, int devices, const std::vector<Schedule>& bases, int strips, Along along)
      : request_(request),
        devices_(devices),
        graph_(request.cost.graph()),
        bases_(bases),
        strips_(strips),
        along_(along),
        blocks_(graph_.blocks().empty() ? natural_blocks(graph_) : graph_.blocks()) {
    std::erase_if(blocks_, [&](const Block& block) { return splits_of({block}).empty(); });
  }

  /// Candidates: first all variants of the best choice (on all bases and placements), then the best of every other
  /// choice; each list is sorted by makespan.
  std::vector<Candidate> run(int rounds) {
    const std::size_t n = blocks_.size();
    for (std::size_t split = 0; split <= n; ++split) {
      Choice first(n, false);
      std::fill_n(first.begin(), split, true);
      offer(first);
    }
    for (int round = 0; round < rounds; ++round) {
      const Choice before = best_;
      for (std::size_t b = 0; b < n; ++b) {
        Choice other = best_;
        other[b] = !other[b];
        offer(other);
      }
      if (best_ == before) break;
    }
    std::vector<Candidate> candidates = variants(best_), others;
    for (auto& [choice, candidate] : known_)
      if (choice != best_) others.push_back(std::move(candidate));
    for (std::vector<Candidate>* list : {&candidates, &others})
      std::ranges::stable_sort(*list, {}, &Candidate::makespan);
    std::ranges::move(others, std::back_inserter(candidates));
    return candidates;
  }

 private:
  using Choice = std::vector<bool>;  ///< is a block split?

  void offer(const Choice& choice) {
    const auto [it, fresh] = known_.try_emplace(choice);
    if (!fresh) return;
    it->second = std::ranges::min(variants(choice), {}, &Candidate::makespan);
    if (!std::exchange(any_, true) || it->second.makespan < known_.at(best_).makespan) {
      best_ = choice;
      if (request_.found) request_.found(it->second.schedule);
    }
    if (request_.progress)
      request_.progress("split: " + std::to_string(devices_) + " devices, " + std::to_string(known_.size()) +
                        " choices of blocks, " + std::to_string(known_.at(best_).makespan) + " ms");
  }

  std::vector<Split> splits_of(const std::vector<Block>& blocks) const {
    std::vector<bool> which(graph_.size(), false);
    for (const Block& block : blocks)
      for (OpId op : block.ops) which[op] = true;
    return even_splits(graph_, which, strips_, along_);
  }

  std::vector<Candidate> variants(const Choice& choice) {
    std::vector<Block> chosen;
    for (std::size_t b = 0; b < blocks_.size(); ++b)
      if (choice[b]) chosen.push_back(blocks_[b]);
    const Graph split = graph_.with_splits(splits_of(chosen));
    const std::unique_ptr<CostModel> own = split.splits().empty() ? nullptr : request_.cost.of(split);
    CostModel& cost = own ? *own : request_.cost;
    std::vector<int> on_first(split.size(), 0), placed = place_strips(cost, bases_.front().launch_order, devices_);
    for (OpId op = 0; op < split.size(); ++op)
      if (split.strip(op) >= 0) on_first[op] = placed[op];
    std::vector<Candidate> list;
    for (const Schedule& base : bases_)
      for (const std::vector<int>& device_of : {on_first, placed}) {
        Candidate& one = list.emplace_back(Candidate{spread(split, base, device_of, devices_)});
        one.makespan = simulated_ms(cost, cost.contention_law(), one.schedule);
      }
    return list;
  }

  const SchedulerRequest& request_;
  int devices_;
  const Graph& graph_;
  const std::vector<Schedule>& bases_;
  int strips_;
  Along along_;
  std::vector<Block> blocks_;
  std::map<Choice, Candidate> known_;
  Choice best_;
  bool any_ = false;  ///< false until there is a best choice (which is empty if there are no blocks)
};

/// Numbers of devices to try: all, and the powers of two below.
std::vector<int> device_counts(int devices) {
  std::vector<int> counts;
  for (int count = 2; count < devices; count *= 2) counts.push_back(count);
  if (devices > 1) counts.push_back(devices);
  return counts;
}

Schedule make_split(const SchedulerRequest& request) {
  const OptionReader options(request.options);
  const bool strips_given = request.options.contains("strips");
  const int strips_asked = options.integer("strips", request.devices, 1);
  const int rounds = options.integer("rounds", 2, 0), measured = options.integer("measured", 6, 1);
  const std::string along = options.choice("along", "", {"rows", "images"});  // empty: depends on the batch
  std::vector<Schedule> bases;
  const auto add_base = [&](const SchedulerOptions& its) {
    bases.push_back(make_schedule("dataflow", {.cost = request.cost, .devices = 1, .options = its}));
  };
  if (const auto streams = request.options.find("streams"); streams != request.options.end()) {
    add_base({*streams});
  } else {
    add_base({});
    add_base({{"streams", "1"}});
  }
  Fastest choice(request.cost);
  for (const Schedule& base : bases)
    choice.offer(base, simulated_ms(request.cost, request.cost.contention_law(), base));
  for (const int devices : device_counts(request.devices)) {
    const int strips = strips_given ? strips_asked : devices;
    const bool images = along == "images" || (along.empty() && request.cost.graph().batch() >= strips && strips > 1);
    std::vector<Candidate> found =
        SplitSearch(request, devices, bases, strips, images ? Along::images : Along::rows).run(rounds);
    found.resize(std::min<std::size_t>(found.size(), measured));
    for (Candidate& candidate : found) choice.offer(std::move(candidate.schedule), candidate.makespan);
  }
  if (request.cost.measures())
    for (Schedule& known : request.cost.known_schedules(1)) choice.offer(std::move(known));
  Schedule answer = choice.schedule();
  answer.scheduler.clear();
  return answer;
}

}  // namespace

SchedulerInfo split_scheduler() {
  return {
      .name = "split",
      .summary =
          "splits blocks into strips of rows or images over the devices, or over 2, 4, 8, ... of them, if that is "
          "faster",
      .max_devices = 0,
      .options = {{"strips", "number of strips of a split operator (default: the number of devices used)"},
                  {"along", "what strips divide: rows or images (default: images, if there is one for each strip)"},
                  {"rounds", "number of passes over all blocks that change the choice of each (default 2)"},
                  {"streams", "maximum number of streams per device, as in dataflow (default: the better of 16 and 1)"},
                  {"measured",
                   "number of best candidates that are timed for each number of devices, if schedules can be measured "
                   "(default 6)"}},
      .make = make_split};
}

}  // namespace opsched
