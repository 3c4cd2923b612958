// HIOS-MR, step 1: mapping recording.
#include <algorithm>
#include <span>

#include "schedulers/hios/hios.hpp"

namespace opsched {
namespace {

/// Sums that differ only by rounding are equal.
bool less(double a, double b) { return a < b * (1 - 1e-12); }

/// Record (v, d) is the best schedule found for operators 0..v with v on device d. It extends a record of v - 1, its
/// parent. Only times are stored; the placement of a record follows from the chain of its parents. All records soon
/// share their ancestors, so one placement suffices before that point.
class MappingRecords {
 public:
  explicit MappingRecords(const HiosProblem& problem)
      : problem_(problem),
        devices_(problem.devices()),
        parent_(cells(), 0),
        end_(cells(), 0.0),
        shared_(problem.size(), -1),
        now_(devices_),
        next_(devices_),
        lineage_(devices_) {
    for (Record& record : now_) record.free.assign(devices_, 0.0);
    next_ = now_;
  }

  DeviceOrders run() {
    for (int v = 0; v < problem_.size(); ++v) extend(v);
    DeviceOrders orders(devices_);
    if (problem_.size() == 0) return orders;
    int device = static_cast<int>(std::ranges::min_element(now_, {}, &Record::makespan) - now_.begin());
    for (int v = problem_.size() - 1; v >= 0; --v) {
      orders[device].push_back(v);
      device = parent_[cell(v, device)];
    }
    for (auto& order : orders) std::ranges::reverse(order);
    return orders;
  }

 private:
  struct Record {
    std::vector<double> free;       ///< end of each device's work so far
    double makespan = 0, ends = 0;  ///< ends: sum of the operators' end times
  };

  std::size_t cells() const { return static_cast<std::size_t>(problem_.size()) * devices_; }
  std::size_t cell(int v, int device) const { return static_cast<std::size_t>(v) * devices_ + device; }

  void extend(int v) {
    find_inputs(v);
    const int records = v == 0 ? 1 : devices_;
    for (int device = 0; device < devices_; ++device) {
      int best = -1;
      double best_makespan = 0, best_ends = 0, best_end = 0;
      for (int k = 0; k < records; ++k) {
        const Record& record = now_[k];
        double start = record.free[device];
        const int* from = inputs_.data() + static_cast<std::size_t>(k) * problem_.preds(v).size();
        for (const auto [pred, edge] : problem_.preds(v)) {
          start = std::max(start, end_[cell(pred, *from)] + problem_.transfer(edge, *from, device));
          ++from;
        }
        // Prefer the shorter schedule; on ties, the one whose operators end earlier. (Preferring devices that are free
        // earlier would be worse: operators would queue while another device is idle.)
        const double end = start + problem_.ms(v), makespan = std::max(record.makespan, end);
        const double ends = record.ends + end;
        if (best >= 0 && !less(makespan, best_makespan) && (less(best_makespan, makespan) || !less(ends, best_ends)))
          continue;
        best = k;
        best_makespan = makespan;
        best_ends = ends;
        best_end = end;
      }
      parent_[cell(v, device)] = best;
      end_[cell(v, device)] = best_end;
      next_[device].free = now_[best].free;
      next_[device].free[device] = best_end;
      next_[device].makespan = best_makespan;
      next_[device].ends = best_ends;
    }
    now_.swap(next_);
    share(v);
  }

  /// Stores the device of every predecessor of v in every record of v - 1 in inputs_, record by record.
  void find_inputs(int v) {
    const auto preds = problem_.preds(v);
    inputs_.resize(devices_ * preds.size());
    int at = v - 1;
    for (int k = 0; k < devices_; ++k) lineage_[k] = k;
    for (std::size_t i = preds.size(); i-- > 0;) {
      const int pred = preds[i].op;
      for (; at > pred && at > shared_until_; --at)
        for (int& device : lineage_) device = parent_[cell(at, device)];
      for (int k = 0; k < devices_; ++k)
        inputs_[k * preds.size() + i] = pred <= shared_until_ ? shared_[pred] : lineage_[k];
    }
  }

  /// Finds the last operator up to which all records of v agree.
  void share(int v) {
    for (int k = 0; k < devices_; ++k) lineage_[k] = k;
    for (int at = v; at > shared_until_; --at) {
      if (std::ranges::equal(std::span(lineage_).subspan(1), std::span(lineage_).first(devices_ - 1))) {
        int device = lineage_[0];
        for (int u = at; u > shared_until_; --u) {
          shared_[u] = device;
          device = parent_[cell(u, device)];
        }
        shared_until_ = at;
        return;
      }
      for (int& device : lineage_) device = parent_[cell(at, device)];
    }
  }

  const HiosProblem& problem_;
  int devices_;
  std::vector<int> parent_;  ///< record of the preceding operator, which is also its device
  std::vector<double> end_;  ///< end of the operator in the record
  std::vector<int> shared_;  ///< device of operators 0..shared_until_, in all records
  int shared_until_ = -1;
  std::vector<Record> now_, next_;
  std::vector<int> lineage_, inputs_;
};

}  // namespace

DeviceOrders hios_mr_orders(const HiosProblem& problem) { return MappingRecords(problem).run(); }

}  // namespace opsched
