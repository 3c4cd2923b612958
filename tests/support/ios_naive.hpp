// The IOS search space directly from its definitions, over all subsets, for graphs of a few operators.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "schedulers/ios/part.hpp"

namespace opsched::test {

class NaiveIos {
 public:
  using Set = unsigned;

  NaiveIos(const Graph& graph, const IosPart& part, const IosOptions& options)
      : graph_(graph), part_(part), options_(options), n_(part.size()) {
    const Set whole = (Set{1} << n_) - 1;
    schedules = paths(whole);
    states = static_cast<std::int64_t>(paths_.size()) - 1;
    std::set<std::pair<Set, Strategy>> distinct;
    for (const auto& [state, unused] : paths_)
      for (const auto& [ending, strategy, groups] : stages_of(state)) {
        ++transitions;
        distinct.emplace(ending, strategy);
        if (strategy == Strategy::concurrent) width = std::max(width, groups);
      }
    stages = static_cast<std::int64_t>(distinct.size());
  }

  /// The least sum of stage latencies, by recursion.
  double best_ms(const std::function<double(const Stage&)>& stage_ms) const {
    std::map<Set, double> best = {{0, 0.0}};
    const std::function<double(Set)> solve = [&](Set state) {
      if (const auto it = best.find(state); it != best.end()) return it->second;
      double least = 1e300;
      for (const auto& [ending, strategy, groups] : stages_of(state))
        least = std::min(least, solve(state & ~ending) + stage_ms(make_stage(part_, strategy, members(ending))));
      return best[state] = least;
    };
    return solve((Set{1} << n_) - 1);
  }

  std::int64_t states = 0, transitions = 0, stages = 0;
  int width = 0;
  boost::multiprecision::cpp_int schedules;

 private:
  struct Ending {
    Set ending;
    Strategy strategy;
    int groups;
  };

  std::vector<int> members(Set set) const {
    std::vector<int> list;
    for (int v = 0; v < n_; ++v)
      if (set >> v & 1) list.push_back(v);
    return list;
  }
  Set succs(int v) const {
    Set set = 0;
    for (int s : part_.succs[v]) set |= Set{1} << s;
    return set;
  }
  /// v and its descendants inside `state`.
  Set descendants(int v, Set state) const {
    Set set = Set{1} << v;
    for (int s : members(succs(v) & state)) set |= descendants(s, state);
    return set;
  }

  /// Groups of a concurrent stage; empty if the stage is not allowed.
  std::vector<Set> groups_of(Set ending, Set state) const {
    std::vector<Set> groups;
    for (int v : members(ending)) {
      if (succs(v) & state & ~ending) return {};
      if (options_.enumeration == Enumeration::components) {
        Set joined = Set{1} << v;
        std::erase_if(groups, [&](Set g) {
          bool touches = succs(v) & g;
          for (int u : members(g)) touches = touches || (succs(u) >> v & 1);
          if (touches) joined |= g;
          return touches;
        });
        groups.push_back(joined);
        continue;
      }
      bool source = true;
      for (int p : part_.preds[v]) source = source && !(ending >> p & 1);
      if (source) groups.push_back(descendants(v, state));
    }
    Set seen = 0;
    for (Set g : groups) {
      if (g & seen || static_cast<int>(members(g).size()) > options_.group_size) return {};
      seen |= g;
    }
    return static_cast<int>(groups.size()) > options_.groups ? std::vector<Set>{} : groups;
  }

  bool mergeable(Set ending, Set state) const {
    std::vector<OpId> ops;
    for (int v : members(ending)) {
      if (succs(v) & state) return false;
      ops.push_back(part_.ops[v]);
    }
    return ops.size() == 1 || can_merge(graph_, ops);
  }

  std::vector<Ending> stages_of(Set state) const {
    std::vector<Ending> list;
    for (Set ending = state; ending; ending = (ending - 1) & state) {
      if (options_.concurrent)
        if (const auto groups = groups_of(ending, state); !groups.empty())
          list.push_back({ending, Strategy::concurrent, static_cast<int>(groups.size())});
      if (options_.merge && mergeable(ending, state)) list.push_back({ending, Strategy::merge, 1});
    }
    return list;
  }

  boost::multiprecision::cpp_int paths(Set state) {
    if (state == 0) return paths_[0] = 1;
    if (const auto it = paths_.find(state); it != paths_.end()) return it->second;
    boost::multiprecision::cpp_int sum = 0;
    for (const Ending& e : stages_of(state)) sum += paths(state & ~e.ending);
    return paths_[state] = sum;
  }

  const Graph& graph_;
  const IosPart& part_;
  IosOptions options_;
  int n_;
  std::map<Set, boost::multiprecision::cpp_int> paths_;
};

}  // namespace opsched::test
