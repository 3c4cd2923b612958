#include "core/cost/contention/contention_law.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cmath>

#include "core/cost/contention/remembered_powers.hpp"

namespace opsched {

double ContentionLaw::slowdown_of_powers(double own, double total, int running) const {
  if (running <= 1) return 1;
  const double factor = 1 + interference * (1 - 1.0 / running);
  if (std::isinf(exponent)) return std::max(1.0, total) * factor;
  return std::pow(1 + total - own, 1 / exponent) * factor;
}

double ContentionLaw::power(double utilisation) const {
  return std::isinf(exponent) ? utilisation : std::pow(utilisation, exponent);
}

double ContentionLaw::following_ms(double ms) const { return std::max(ms - chain_ms, 0.2 * ms); }

namespace {

/// `power` raises a utilisation to the law's exponent. `slow` tells how much slower an operator runs, from its own
/// power and the power of the total utilisation.
template <class Power, class Slow>
double simulate(std::span<const std::vector<int>> groups, std::span<const PoweredTask> tasks, const ContentionLaw& law,
                Power power, Slow slow) {
  struct Running {
    const std::vector<int>* group;
    std::size_t position;
    const PoweredTask* now;
    double left, rate;
  };
  boost::container::small_vector<Running, 8> running;
  for (const auto& group : groups)
    if (!group.empty()) running.push_back({&group, 0, &tasks[group.front()], tasks[group.front()].task.ms, 0});
  const int started = static_cast<int>(running.size());

  double now = 0;
  while (!running.empty()) {
    double total = 0;
    for (const Running& r : running) total += r.now->task.utilisation;
    double step = std::numeric_limits<double>::infinity();
    const double all = running.size() > 1 ? power(total) : 0;
    // Unlike in slowdown(): the form for which c was fitted on stages.
    const double factor = 1 + law.interference * (static_cast<double>(running.size()) - 1);
    for (std::size_t i = 0; i < running.size(); ++i) {
      Running& r = running[i];
      if (running.size() == 1)
        r.rate = 1;
      else if (i > 0 && r.now->power == running[i - 1].now->power)
        r.rate = running[i - 1].rate;  // often
      else
        r.rate = 1 / (slow(r.now->power, all) * factor);
      step = std::min(step, r.left / r.rate);
    }
    now += step;
    for (std::size_t i = 0; i < running.size();) {
      Running& r = running[i];
      r.left -= step * r.rate;
      if (r.left > 1e-12 * now) {
        ++i;
      } else if (++r.position < r.group->size()) {
        r.now = &tasks[(*r.group)[r.position]];
        r.left = law.following_ms(r.now->task.ms);
        ++i;
      } else {
        r = running.back();
        running.pop_back();
      }
    }
  }
  return now + law.fork_ms * std::max(0, started - 1);
}

}  // namespace

double concurrent_ms(std::span<const std::vector<int>> groups, std::span<const PoweredTask> tasks,
                     const ContentionLaw& law) {
  const auto power = [&](double utilisation) { return law.power(utilisation); };
  if (std::isinf(law.exponent))
    return simulate(groups, tasks, law, power, [](double, double total) { return std::max(1.0, total); });
  return simulate(groups, tasks, law, power,
                  [&](double own, double total) { return std::pow(1 + total - own, 1 / law.exponent); });
}

double concurrent_ms(std::span<const std::vector<int>> groups, std::span<const PoweredTask> tasks,
                     const ContentionLaw& law, RememberedPowers& powers) {
  return simulate(
      groups, tasks, law, [&](double utilisation) { return powers.power(utilisation); },
      [&](double own, double total) { return powers.root(1 + total - own); });
}

}  // namespace opsched
