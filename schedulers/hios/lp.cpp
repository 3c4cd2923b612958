// HIOS-LP, step 1: assigns longest paths to devices.
#include <algorithm>
#include <limits>
#include <utility>

#include "schedulers/hios/hios.hpp"

namespace opsched {
namespace {

constexpr int none = -1;

/// Operators whose values must be recomputed, visited in ascending or descending order.
class Pending {
 public:
  explicit Pending(int size) : waits_(size, 0) {}
  void add(int v) {
    count_ += !waits_[v];
    waits_[v] = 1;
  }
  bool empty() const { return count_ == 0; }
  bool take(int v) {
    count_ -= waits_[v];
    return std::exchange(waits_[v], 0);
  }

 private:
  std::vector<char> waits_;
  int count_ = 0;
};

/// Operators are placed path by path. Every device runs them in ascending order, so two passes over the operators
/// compute the partial schedule exactly: starts forwards, tails (longest path from an operator's start to the end)
/// backwards. Each pass visits only what changed.
class LongestPaths {
 public:
  explicit LongestPaths(const HiosProblem& problem)
      : problem_(problem),
        orders_(problem.devices()),
        device_(problem.size(), none),
        joined_(problem.size(), 0),
        pending_(problem.size()),
        reach_(problem.size(), 0.0),
        length_(problem.size(), 0.0),
        step_(problem.size(), none),
        start_(problem.size(), 0.0),
        tail_(problem.size(), 0.0),
        trial_(problem.size(), 0.0),
        next_(problem.size(), none),
        prev_(problem.size(), none) {
    for (int v = 0; v < problem.size(); ++v) pending_.add(v);
    update_reach();
  }

  DeviceOrders run() {
    for (int placed = 0; placed < problem_.size(); placed += static_cast<int>(path_.size())) {
      find_path();
      place(best_device());
    }
    return std::move(orders_);
  }

 private:
  /// Finds the longest valid path of HIOS: only its ends may be connected to placed operators. Stores its unplaced
  /// operators, at least one, in path_.
  void find_path() {
    const int first = static_cast<int>(std::ranges::max_element(length_) - length_.begin());
    path_.clear();
    for (int v = first; v != none; v = v != first && is_end(v) ? none : step_[v])
      if (device_[v] == none) path_.push_back(v);
  }
  bool is_end(int v) const { return device_[v] != none || joined_[v]; }

  void update_reach() {
    for (int v = problem_.size() - 1; !pending_.empty(); --v) {
      if (!pending_.take(v)) continue;
      double rest = 0;
      step_[v] = none;
      for (const auto [to, edge] : problem_.succs(v)) {
        if (device_[v] != none && device_[to] != none) continue;
        const double length = problem_.worst_transfer(edge) + (is_end(to) ? problem_.ms(to) : reach_[to]);
        if (step_[v] != none && length <= rest) continue;
        rest = length;
        step_[v] = to;
      }
      const double reach = problem_.ms(v) + rest;
      length_[v] = device_[v] == none || step_[v] != none ? reach : -1;
      if (reach == std::exchange(reach_[v], reach) || is_end(v)) continue;
      for (const auto [from, edge] : problem_.preds(v)) pending_.add(from);
    }
  }

  int best_device() {
    int best = none;
    double best_ms = std::numeric_limits<double>::infinity(), best_end = best_ms;
    tried_empty_.assign(problem_.devices(), 0);
    for (int device = 0; device < problem_.devices(); ++device) {
      if (orders_[device].empty() && std::exchange(tried_empty_[problem_.twin(device)], 1)) continue;
      const double ms = makespan_on(device, best_ms), end = trial_[path_.back()];
      if (ms < best_ms || (ms == best_ms && end < best_end)) {
        best = device;
        best_ms = ms;
        best_end = end;
      }
    }
    return best;
  }

  /// Makespan with the path on this device, or any number above `limit` if the makespan exceeds it. Leaves the starts
  /// of the path's operators in trial_.
  double makespan_on(int device, double limit) {
    const std::vector<int>& order = orders_[device];
    auto next = std::ranges::upper_bound(order, path_.front());
    int before = next == order.begin() ? none : *(next - 1);
    double makespan = makespan_;
    std::size_t i = 0;
    for (int v = path_.front(); v <= path_.back(); ++v) {
      if (v == path_[i]) {
        // On a longest path, everything after the path's last operator keeps its old tail.
        trial_[v] = std::max(before == none ? 0.0 : trial_[before] + problem_.ms(before), arrival(v, device, device));
        while (next != order.end() && *next < v) ++next;
        double rest = next == order.end() ? 0 : tail_[*next];
        for (const auto [to, edge] : problem_.succs(v))
          if (device_[to] != none) rest = std::max(rest, tail_[to] + problem_.transfer(edge, device, device_[to]));
        makespan = std::max(makespan, trial_[v] + problem_.ms(v) + rest);
        before = v;
        ++i;
        if (makespan > limit) break;
      } else if (device_[v] != none) {
        const int previous = device_[v] == device ? before : prev_[v];
        trial_[v] =
            std::max(previous == none ? 0.0 : trial_[previous] + problem_.ms(previous), arrival(v, device_[v], device));
        if (device_[v] == device) before = v;
      }
    }
    const int stop = i < path_.size() ? path_[i] : path_.back();
    for (int v = path_.front() + 1; v < stop; ++v)
      if (device_[v] != none) trial_[v] = start_[v];
    return makespan;
  }

  /// Arrival of an operator's inputs on its device, from trial_; the path is on `path_device`.
  double arrival(int v, int device, int path_device) const {
    double latest = 0;
    for (const auto [from, edge] : problem_.preds(v)) {
      const int at = device_[from] == none && on_path(from) ? path_device : device_[from];
      if (at != none) latest = std::max(latest, trial_[from] + problem_.ms(from) + problem_.transfer(edge, at, device));
    }
    return latest;
  }

  void place(int device) {
    std::vector<int>& order = orders_[device];
    for (int v : path_) {
      const auto at = order.insert(std::ranges::upper_bound(order, v), v);
      prev_[v] = at == order.begin() ? none : *(at - 1);
      next_[v] = at + 1 == order.end() ? none : *(at + 1);
      if (prev_[v] != none) next_[prev_[v]] = v;
      if (next_[v] != none) prev_[next_[v]] = v;
      device_[v] = device;
    }
    update_starts();
    update_tails();
    for (int v : path_) {
      touch(v);
      for (const auto [from, edge] : problem_.preds(v)) touch(from);
      for (const auto [to, edge] : problem_.succs(v)) touch(to);
    }
    update_reach();
  }

  /// Records that the operator was placed or connected to a placed one.
  void touch(int v) {
    joined_[v] = 1;
    pending_.add(v);
    for (const auto [from, edge] : problem_.preds(v)) pending_.add(from);
  }

  void update_starts() {
    for (int v : path_) pending_.add(v);
    for (int v = path_.front(); !pending_.empty(); ++v) {
      if (!pending_.take(v)) continue;
      double start = prev_[v] == none ? 0 : start_[prev_[v]] + problem_.ms(prev_[v]);
      for (const auto [from, edge] : problem_.preds(v))
        if (device_[from] != none)
          start =
              std::max(start, start_[from] + problem_.ms(from) + problem_.transfer(edge, device_[from], device_[v]));
      makespan_ = std::max(makespan_, start + problem_.ms(v));
      trial_[v] = start;
      // A new operator's start may stay 0, but others now wait for it.
      if (start == std::exchange(start_[v], start) && !on_path(v)) continue;
      if (next_[v] != none) pending_.add(next_[v]);
      for (const auto [to, edge] : problem_.succs(v))
        if (device_[to] != none) pending_.add(to);
    }
  }

  void update_tails() {
    for (int v : path_) pending_.add(v);
    for (int v = path_.back(); !pending_.empty(); --v) {
      if (!pending_.take(v)) continue;
      double rest = next_[v] == none ? 0 : tail_[next_[v]];
      for (const auto [to, edge] : problem_.succs(v))
        if (device_[to] != none) rest = std::max(rest, tail_[to] + problem_.transfer(edge, device_[v], device_[to]));
      const double tail = problem_.ms(v) + rest;
      if (tail == std::exchange(tail_[v], tail) && !on_path(v)) continue;
      if (prev_[v] != none) pending_.add(prev_[v]);
      for (const auto [from, edge] : problem_.preds(v))
        if (device_[from] != none) pending_.add(from);
    }
  }

  bool on_path(int v) const { return std::ranges::binary_search(path_, v); }

  const HiosProblem& problem_;
  DeviceOrders orders_;
  std::vector<char> tried_empty_;  ///< by twin
  std::vector<int> device_;
  std::vector<char> joined_;  ///< has an edge to or from a placed operator
  Pending pending_;
  std::vector<double> reach_;   ///< longest continuation of a valid path from an inner operator
  std::vector<double> length_;  ///< longest valid path from an operator; -1: no path to place
  std::vector<int> step_, path_;
  std::vector<double> start_, tail_;
  std::vector<double> trial_;  ///< start_ with the placement being tried
  std::vector<int> next_, prev_;
  double makespan_ = 0;
};

}  // namespace

DeviceOrders hios_lp_orders(const HiosProblem& problem) { return LongestPaths(problem).run(); }

}  // namespace opsched
