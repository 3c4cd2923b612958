// The endings of a set of operators that may become its last stage (IOS, section 4.2).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "schedulers/ios/part.hpp"
#include "schedulers/ios/table.hpp"

namespace opsched {

/// Enumerates the endings of one part. Not thread-safe, because it reuses its buffers.
template <class Bits>
class Endings {
 public:
  Endings(const IosPart& part, const IosOptions& options)
      : options_(options),
        hash_(part.size()),
        up_(part.size()),
        down_(part.size()),
        succs_(part.size()),
        classes_(part.size()),
        group_(part.size()),
        conflict_(part.size()),
        group_hash_(part.size()) {
    const int n = part.size();
    for (int v = 0; v < n; ++v) {
      up_[v] = Bits(n);
      up_[v].set(v);
      for (int p : part.preds[v]) up_[v] |= up_[p];
      succs_[v] = Bits(n);
      for (int s : part.succs[v]) succs_[v].set(s);
      classes_[v] = Bits(n);
    }
    for (int v = n - 1; v >= 0; --v) {
      down_[v] = Bits(n);
      down_[v].set(v);
      for (int s : part.succs[v]) down_[v] |= down_[s];
      classes_[part.merge_class[v]].set(v);
    }
    empty_ = Bits(n);
    most_ = std::min<std::int64_t>(n, std::int64_t{options.group_size} * options.groups);
  }

  const SetHash& hash() const { return hash_; }

  /// Calls visit(ending, its hash, strategy, number of groups) once for every transition of `state`, which is not
  /// empty and closed under predecessors.
  template <class Visit>
  void each(const Bits& state, const Visit& visit) {
    if (options_.concurrent) {
      if (options_.enumeration == Enumeration::single_source)
        single_source(state, visit);
      else
        components(state, visit);
    }
    if (options_.merge) merges(state, visit);
  }

 private:
  /// Groups are down_[v] & state. Two groups overlap if one contains a descendant of the other's source, so each
  /// excludes the ancestors of its members as further sources.
  template <class Visit>
  void single_source(const Bits& state, const Visit& visit) {
    Bits sources = empty_;
    state.each([&](int v) {
      group_[v] = down_[v] & state;
      if (group_[v].count() > options_.group_size) return;
      sources.set(v);
      group_hash_[v] = hash_.of(group_[v]);
      conflict_[v] = empty_;
      group_[v].each([&](int w) { conflict_[v] |= up_[w]; });
    });
    add_group(sources, empty_, 0, 1, visit);
  }

  template <class Visit>
  void add_group(Bits sources, const Bits& ending, std::uint64_t hash, int groups, const Visit& visit) {
    while (!sources.none()) {
      const int v = sources.lowest();
      sources.reset(v);
      const Bits longer = ending | group_[v];
      const std::uint64_t longer_hash = hash ^ group_hash_[v];
      visit(longer, longer_hash, Strategy::concurrent, groups);
      if (groups == options_.groups) continue;
      const Bits rest = sources - conflict_[v];
      if (!rest.none()) add_group(rest, longer, longer_hash, groups + 1, visit);
    }
  }

  /// Decides for each vertex, last first, whether it joins the ending; a vertex that does not join excludes its
  /// ancestors. Every vertex that joins gives a new ending, so little work is wasted.
  template <class Visit>
  void components(const Bits& state, const Visit& visit) {
    groups_.clear();
    add_vertex(state, empty_, 0, visit);
  }

  template <class Visit>
  void add_vertex(Bits open, const Bits& ending, std::uint64_t hash, const Visit& visit) {
    while (!open.none()) {
      const int v = open.highest();
      const std::size_t before = groups_.size();
      // v and the groups it reads become one group; the original groups are saved, to be restored.
      std::vector<Bits> joined;
      Bits group = empty_;
      group.set(v);
      for (std::size_t g = before; g-- > 0;)
        if (groups_[g].meets(succs_[v])) {
          group |= groups_[g];
          joined.push_back(groups_[g]);
          groups_[g] = groups_.back();
          groups_.pop_back();
        }
      if (group.count() <= options_.group_size && ending.count() < most_) {
        groups_.push_back(group);
        Bits longer = ending;
        longer.set(v);
        const std::uint64_t longer_hash = hash ^ hash_[v];
        Bits rest = open;
        rest.reset(v);
        const int count = static_cast<int>(groups_.size());
        if (count <= options_.groups) visit(longer, longer_hash, Strategy::concurrent, count);
        if (!rest.none() && may_shrink(count, rest)) add_vertex(rest, longer, longer_hash, visit);
        std::erase(groups_, group);
      }
      groups_.insert(groups_.end(), joined.begin(), joined.end());
      open -= up_[v];
    }
  }

  /// Can the number of groups still decrease to the bound? Only groups that share a candidate ancestor can be joined.
  bool may_shrink(int count, const Bits& open) const {
    if (count <= options_.groups) return true;
    int closed = 0;
    for (const Bits& g : groups_) {
      bool joinable = false;
      open.each([&](int v) { joinable = joinable || succs_[v].meets(g); });
      closed += !joinable;
    }
    return closed < options_.groups;
  }

  template <class Visit>
  void merges(const Bits& state, const Visit& visit) {
    Bits sinks = empty_;
    state.each([&](int v) {
      if (!succs_[v].meets(state)) sinks.set(v);
    });
    for (const Bits& members : classes_)
      if (members.meets(sinks)) add_merged(members & sinks, empty_, 0, visit);
  }

  template <class Visit>
  void add_merged(Bits candidates, const Bits& ending, std::uint64_t hash, const Visit& visit) {
    while (!candidates.none()) {
      const int v = candidates.lowest();
      candidates.reset(v);
      Bits longer = ending;
      longer.set(v);
      visit(longer, hash ^ hash_[v], Strategy::merge, 1);
      add_merged(candidates, longer, hash ^ hash_[v], visit);
    }
  }

  IosOptions options_;
  SetHash hash_;
  std::vector<Bits> up_, down_;  ///< ancestors and descendants of a vertex, itself included
  std::vector<Bits> succs_;      ///< direct successors
  std::vector<Bits> classes_;    ///< members of a merge class, at its first vertex
  Bits empty_;
  std::int64_t most_;                   ///< vertices of a concurrent stage: r s
  std::vector<Bits> group_, conflict_;  ///< scratch of single_source, by source
  std::vector<std::uint64_t> group_hash_;
  std::vector<Bits> groups_;  ///< scratch of components: the groups of the ending so far
};

}  // namespace opsched
