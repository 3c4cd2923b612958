// A synthetic device whose behaviour the contention model does not know: block slots and memory bandwidth are shared
// separately, kernels begin with a gap in which they use nothing, efficiencies differ between operators, and
// measurements are noisy.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/cost/contention/features.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/cost/signature/signature.hpp"

namespace opsched::test {

class TrueDevice {
 public:
  explicit TrueDevice(std::uint64_t seed) : random_(seed), seed_(seed) {}

  static constexpr double kMacsPerMs = 2.4e10;  ///< at most

  static DeviceFacts facts() {
    DeviceFacts f;
    f.name = "True device";
    f.multiprocessors = 100;
    return f;
  }

  /// One noisy measurement of a stage.
  ProfileEntry stage(const Graph& graph, const Stage& stage) {
    std::vector<Unit> units;
    if (stage.strategy == Strategy::merge) {
      std::vector<Operator> ops;
      for (OpId id : stage.groups[0]) ops.push_back(graph.op(id));
      units.push_back(unit_of(merged_operator(ops), graph.batch()));
    } else {
      for (const Group& group : stage.groups)
        for (std::size_t i = 0; i < group.size(); ++i) {
          units.push_back(unit_of(graph.op(group[i]), graph.batch()));
          if (i > 0) follow(units, static_cast<int>(units.size()) - 2);
        }
    }
    const double forks = stage.strategy == Strategy::merge ? 0 : static_cast<double>(stage.groups.size() - 1);
    return noisy(run(units) + 0.0009 * forks);
  }

  /// One measurement of a schedule on one device.
  ProfileEntry schedule(const Graph& graph, const Schedule& schedule) {
    double ms = 0.003;  // launch overhead
    if (schedule.mode == Mode::barrier) {
      for (const Stage& s : schedule.devices.at(0).stages) ms += stage(graph, s).ms;
      return noisy(ms);
    }
    std::vector<Unit> units;
    std::vector<int> unit_of_op(graph.size(), -1), stream(graph.size(), -1);
    std::map<std::size_t, int> last;
    for (const Stage& s : schedule.devices.at(0).stages)
      for (std::size_t g = 0; g < s.groups.size(); ++g)
        for (OpId id : s.groups[g]) {
          units.push_back(unit_of(graph.op(id), graph.batch()));
          unit_of_op[id] = static_cast<int>(units.size()) - 1;
          stream[id] = static_cast<int>(g);
          if (last.contains(g)) follow(units, last[g]);
          last[g] = unit_of_op[id];
        }
    for (OpId id : graph.units())
      for (OpId p : graph.preds(id))
        if (unit_of_op[p] >= 0)
          units[unit_of_op[id]].after.emplace_back(unit_of_op[p], stream[p] == stream[id] ? 0.0 : 0.0012);
    return noisy(ms + run(units));
  }

 private:
  struct Unit {
    double gap, work, slots, memory;
    std::vector<std::pair<int, double>> after;  ///< unit, and its additional delay
    bool running = false, done = false;
    double end = 0;
  };

  /// A number in [0, 1) for each operator.
  double quirk(const OperatorFeatures& f) const {
    double x =
        std::sin(f.macs * 1e-5 + f.channels * 0.7 + f.pixels * 0.013 + f.reduction * 0.11 + static_cast<double>(seed_));
    return 0.5 * (x + 1);
  }

  Unit unit_of(const Operator& op, int batch) const {
    const OperatorFeatures f = operator_features(op, batch, 4);
    const double blocks = std::ceil(f.pixels / 64) * std::ceil(f.channels / 64) * (f.macs > 0 ? 1 : 0.25);
    const double slots = std::min(1.0, 0.02 + blocks / 264);
    const double rate = kMacsPerMs * slots * f.reduction / (f.reduction + 80) * (0.6 + 0.4 * quirk(f));  // macs per ms
    const double bytes = f.bytes_read + f.bytes_written + f.weight_bytes;
    const double bandwidth = 3.5e9 * std::min(1.0, 3 * slots);
    const double work = std::max(f.macs / rate, bytes / bandwidth) + 0.0005;
    return {0.0022, work, slots, std::min(1.0, bytes / (3.5e9 * work)), {}};
  }

  /// The last unit follows `before` on its stream, which shortens its gap.
  static void follow(std::vector<Unit>& units, int before) {
    units.back().gap -= 0.0007;
    units.back().after.emplace_back(before, 0.0);
  }

  static double run(std::vector<Unit>& units) {
    double now = 0;
    for (std::size_t done = 0; done < units.size();) {
      double step = 1e9, slots = 0, memory = 0;
      for (Unit& u : units) {
        if (u.done) continue;
        if (!u.running) {
          double ready = 0;
          bool waits = false;
          for (const auto& [p, later] : u.after) {
            waits = waits || !units[p].done;
            ready = std::max(ready, units[p].end + later);
          }
          if (waits) continue;
          if (ready > now + 1e-12) {
            step = std::min(step, ready - now);
            continue;
          }
          u.running = true;
        }
        if (u.gap > 0) continue;
        slots += u.slots;
        memory += u.memory;
      }
      const double rate = 1 / std::max({1.0, slots, memory});
      for (const Unit& u : units)
        if (u.running && !u.done) step = std::min(step, u.gap > 0 ? u.gap : u.work / rate);
      now += step;
      for (Unit& u : units) {
        if (!u.running || u.done) continue;
        if (u.gap > 0) {
          u.gap = u.gap - step < 1e-12 ? 0 : u.gap - step;
        } else if ((u.work -= step * rate) < 1e-12) {
          u.done = true;
          u.end = now;
          ++done;
        }
      }
    }
    return now;
  }

  ProfileEntry noisy(double ms) {
    return {ms * std::exp(0.015 * std::normal_distribution<double>()(random_)), 0.01, 30};
  }

  std::mt19937_64 random_;
  std::uint64_t seed_;
};

/// Random stages of a graph: operators with no path between them, some followed by their successors, as groups.
class StageDrawer {
 public:
  explicit StageDrawer(const Graph& graph) : graph_(graph), reach_(graph.size(), std::vector<bool>(graph.size())) {
    for (OpId id = graph.size() - 1; id >= 0; --id)
      for (OpId s : graph.succs(id)) {
        reach_[id][s] = true;
        for (OpId t = s; t < graph.size(); ++t) reach_[id][t] = reach_[id][t] || reach_[s][t];
      }
  }

  Stage draw(std::mt19937_64& random, int max_groups = 6) const {
    const std::vector<OpId> units = graph_.units();
    const std::size_t at = random() % units.size();
    Stage stage;
    const int groups = 1 + static_cast<int>(random() % static_cast<std::uint64_t>(max_groups));
    // Close to each other in the graph, as schedulers choose them.
    for (int tries = 0; tries < 40 && static_cast<int>(stage.groups.size()) < groups; ++tries) {
      const OpId id = units[std::min(units.size() - 1, at + random() % 16)];
      if (!apart(stage, id)) continue;
      stage.groups.push_back({id});
      while (random() % 3 == 0 && stage.groups.back().size() < 3) {
        const auto succs = graph_.succs(stage.groups.back().back());
        if (succs.empty()) break;
        const OpId next = succs[random() % succs.size()];
        Group group = std::move(stage.groups.back());
        stage.groups.pop_back();
        const bool fits = apart(stage, next);
        if (fits) group.push_back(next);
        stage.groups.push_back(std::move(group));
        if (!fits) break;
      }
    }
    return stage;
  }

 private:
  bool apart(const Stage& stage, OpId id) const {
    for (const Group& group : stage.groups)
      for (OpId other : group)
        if (other == id || reach_[other][id] || reach_[id][other]) return false;
    return true;
  }

  const Graph& graph_;
  std::vector<std::vector<bool>> reach_;
};

}  // namespace opsched::test
