// Whole schedules whose latency is a sum over their kernels, for tests of kernel selection.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/runtime/kernel_refinement.hpp"

namespace opsched::test {

/// A schedule that takes `base` ms plus the contributions of its kernels, measured with Gaussian noise. With add_conv,
/// kernels have launch styles; those that are not named add 1 ms.
class FakeTuner final : public CoRunTuner {
 public:
  double base = 1, sigma = 0;
  std::map<std::string, PosedProblem> posed;
  std::map<std::string, double> adds;    ///< by "problem/kernel"; ms
  std::map<std::string, double> styled;  ///< the same by "problem/kernel/style"
  std::map<std::string, double> lucky;   ///< subtracted from the first comparison of a change only
  std::set<std::string> broken;          ///< "problem/kernel"s that cannot be built
  std::vector<std::string> asked;        ///< "problem/kernel" of every comparison
  std::function<void()> before_comparison;

  void add(const std::string& problem, int uses, const std::vector<std::pair<double, double>>& alone_and_beside) {
    PosedProblem p{problem, uses, "k0", {}, {}};
    for (std::size_t i = 0; i < alone_and_beside.size(); ++i) {
      const std::string kernel = "k" + std::to_string(i);
      p.alone.push_back({kernel, alone_and_beside[i].first});
      adds[problem + "/" + kernel] = alone_and_beside[i].second;
    }
    posed.emplace(problem, p);
  }
  /// A problem with kernels "k0" and "k1", and what each launch style adds to the time of k0.
  void add_conv(const std::string& problem, double plain, double spread0, double spread1, double late) {
    add(problem, 1, {{0.1, plain}, {0.1, plain}});
    styled[problem + "/k0/spread0"] = spread0;
    styled[problem + "/k0/spread1"] = spread1;
    styled[problem + "/k0/late"] = late;
  }
  double latency(const std::map<std::string, std::string>& changes = {}) const {
    double ms = base;
    for (const auto& [key, p] : posed) {
      const std::string name = key + "/" + (changes.contains(key) ? changes.at(key) : p.chosen);
      const auto plain = adds.find(name);
      ms += plain != adds.end() ? plain->second : styled.contains(name) ? styled.at(name) : 1;
    }
    return ms;
  }

  std::vector<PosedProblem> problems() override {
    std::vector<PosedProblem> all;
    for (const auto& [key, p] : posed) all.push_back(p);
    return all;
  }
  std::vector<LaunchVariant> launch_variants(const std::string& kernel) override {
    std::vector<LaunchVariant> variants;
    if (styled.empty()) return variants;
    const std::string plain = kernel.substr(0, kernel.find('/'));
    for (const std::string style : {"", "spread0", "spread1", "late"})
      if (const std::string name = style.empty() ? plain : plain + "/" + style; name != kernel)
        variants.push_back({name, style});
    return variants;
  }
  std::vector<KernelComparison> compare_each(std::span<const KernelChange> changes, int turns) override {
    if (before_comparison) before_comparison();
    std::map<std::string, std::string> other;
    double luck = 0;
    for (const KernelChange& c : changes) {
      const std::string name = c.problem + "/" + c.kernel;
      asked.push_back(name);
      if (broken.contains(name)) throw Error("cannot be built: " + name);
      other[c.problem] = c.kernel;
      luck += std::exchange(lucky[name], 0);
    }
    const double error = sigma / std::sqrt(turns);
    std::normal_distribution<double> noise(0, sigma == 0 ? 1e-12 : error);
    return {{latency(), latency(other) - luck + noise(random_), error}};
  }
  void choose(const std::string& problem, const std::string& kernel, const KernelComparison&) override {
    posed.at(problem).chosen = kernel;
  }
  void remember_tried(const std::string& problem, const std::set<std::string>& kernels) override {
    posed.at(problem).tried.insert(kernels.begin(), kernels.end());
  }

 private:
  std::mt19937_64 random_{1};
};

}  // namespace opsched::test
