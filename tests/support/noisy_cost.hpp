// A simulated device: stage latencies follow one formula with reproducible noise, estimates follow another. Counts
// measurements.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/cost/cost_model.hpp"
#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"

namespace opsched::test {

class NoisyCost : public CostModel {
 public:
  /// `noise`: relative spread around the formula for latencies of several operators.
  NoisyCost(const Graph& graph, double noise, std::uint64_t seed = 1)
      : graph_(graph), signer_(graph), noise_(noise), seed_(seed) {
    for (OpId op = 0; op < graph.size(); ++op) {
      const double compute = static_cast<double>(graph.macs(op)) / 1.5e10;
      solo_.push_back(0.004 + compute + static_cast<double>(graph.op(op).output.size()) / 5e8);
      use_.push_back(std::min(1.0, 0.08 + compute / 0.03));
      bias_.push_back(std::exp(0.05 * normal(hash(signer_.solo(op), seed_))));
    }
  }

  const Graph& graph() const override { return graph_; }
  Provenance provenance() const override { return provenance_; }
  bool measures() const override { return provenance_ == Provenance::measured; }
  bool bounds_hold() const override { return false; }
  bool all_stages_known() const override { return false; }
  bool structural() const override { return true; }
  double operator_ms(OpId op) override { return 0.002 + solo_[op]; }
  double utilisation(OpId op) override { return use_[op]; }
  double transfer_ms(OpId, OpId, int, int) override { return 0; }
  bool stage_known(const Stage& stage) const override { return known_.contains(key(stage)); }
  double stage_lower_bound_ms(const Stage& stage) override {
    double longest = 0;
    if (stage.strategy == Strategy::concurrent)
      for (const Group& group : stage.groups)
        for (OpId op : group) longest = std::max(longest, 0.5 * solo_[op]);
    return longest;
  }
  double estimate_stage_ms(const Stage& stage) override { return formula(stage, 0.75, 0, false); }
  double stage_ms(const Stage& stage) override {
    if (known_.insert(key(stage)).second) {
      if (provenance_ == Provenance::recorded) {
        known_.erase(key(stage));
        return estimate_stage_ms(stage);
      }
      if (measured == limit) throw Error("interrupted");
      ++measured;
    }
    return latency(stage);
  }

  /// The result of stage_ms, without counting a measurement.
  double latency(const Stage& stage) const {
    const double noise = alone(stage) ? 0 : noise_ * normal(hash(key(stage), seed_));
    return formula(stage, 0.85, 0.02, true) * std::exp(noise);
  }
  void replay() { provenance_ = Provenance::recorded; }

  int measured = 0;
  int limit = -1;  ///< number of measurements before it fails

 private:
  static std::uint64_t hash(const std::string& text, std::uint64_t h) {
    for (char c : text) h = mix(h ^ static_cast<unsigned char>(c));
    return h;
  }
  static bool alone(const Stage& stage) { return stage.groups.size() == 1 && stage.groups[0].size() == 1; }
  std::string key(const Stage& stage) const { return signer_.stage(stage); }
  static std::uint64_t mix(std::uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Approximately standard normal: a sum of twelve uniform numbers.
  static double normal(std::uint64_t h) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>((h = mix(h)) >> 11) * 0x1p-53;
    return sum;
  }
  double formula(const Stage& stage, double sharing, double crowding, bool biased) const {
    if (stage.strategy == Strategy::merge) {
      double ms = 0.006;
      for (OpId op : stage.groups[0]) ms += static_cast<double>(graph_.op(op).output.size()) / 5e8;
      const Conv2d conv = merged_conv(graph_, stage.groups[0]);
      return ms +
             static_cast<double>(layer_macs(conv, graph_.op(stage.groups[0][0]).input)) / (biased ? 1.9e10 : 1.7e10);
    }
    double sum = 0, used = 0, longest = 0;
    for (const Group& group : stage.groups) {
      double chain = 0;
      for (OpId op : group) {
        const double ms = solo_[op] * (biased && !alone(stage) ? bias_[op] : 1);
        chain += ms;
        used += ms * use_[op];
      }
      sum += chain;
      longest = std::max(longest, chain);
    }
    return 0.002 + (1 - sharing) * sum +
           sharing * std::max(used, longest) * (1 + crowding * static_cast<double>(stage.groups.size() - 1));
  }

  const Graph& graph_;
  StageSigner signer_;
  double noise_;
  std::uint64_t seed_;
  Provenance provenance_ = Provenance::measured;
  std::vector<double> solo_, use_, bias_;
  std::unordered_set<std::string> known_;
};

}  // namespace opsched::test
