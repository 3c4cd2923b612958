#include "experiments/studies/tuning_records.hpp"

namespace opsched {

std::vector<bench::Timed> tuning_records(const KernelRefinement& refinement, const std::vector<bench::Timed>& schedules,
                                         const std::string& tried) {
  std::vector<bench::Timed> all;
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    bench::Timed before = schedules[i];
    before.record.labels = {{"study", "tune"}, {"tried", tried}, {"kernels", "before"}};
    before.record.numbers["comparisons"] = refinement.comparisons();
    records::KernelChoices kernels = before.kernels;
    int changed = 0;
    for (const RefinedKernel& change : refinement.changes())
      if (const auto at = kernels.find(change.problem); at != kernels.end()) at->second = change.after, ++changed;
    before.record.numbers["changed"] = changed;
    if (changed == 0 || !refinement.total()) {
      all.push_back(std::move(before));
      continue;
    }
    const KernelComparison& compared = refinement.totals().at(i);
    before.record.spread.reset();
    before.record.value = compared.before;
    before.record.numbers["noise_ms"] = compared.noise;
    if (refinement.taken_back()) before.record.texts["outcome"] = "within noise: the changes were undone";
    bench::Timed after = before;
    after.record.value = compared.after;
    after.record.labels["kernels"] = "after";
    after.kernels = std::move(kernels);
    all.push_back(std::move(before));
    all.push_back(std::move(after));
  }
  return all;
}

}  // namespace opsched
