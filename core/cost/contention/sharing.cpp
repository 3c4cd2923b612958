#include "core/cost/contention/sharing.hpp"

#include <algorithm>
#include <cmath>

namespace opsched {

double Sharing::slowdown(double demand, double total, int running) const {
  if (running <= 1) return 1;
  const double crowd = 1 + crowding * (1 - 1.0 / running);
  if (std::isinf(softness)) return std::max(1.0, total) * crowd;
  return std::pow(1 + std::pow(total, softness) - std::pow(demand, softness), 1 / softness) * crowd;
}

double Sharing::following_ms(double ms) const { return std::max(ms - chain_ms, 0.2 * ms); }

double share(std::span<const std::vector<Task>> groups, const Sharing& sharing) {
  struct Running {
    const std::vector<Task>* group;
    std::size_t position;
    double left, rate;
    double hunger;  ///< of the operator's demand, see below
  };
  // As slowdown(), which raises to powers what stays the same while an operator runs.
  const bool soft = !std::isinf(sharing.softness);
  const auto hunger = [&](double demand) { return soft ? std::pow(demand, sharing.softness) : demand; };
  std::vector<Running> running;
  running.reserve(groups.size());
  for (const auto& group : groups)
    if (!group.empty()) running.push_back({&group, 0, group.front().ms, 0, hunger(group.front().demand)});
  const int started = static_cast<int>(running.size());

  double now = 0;
  while (!running.empty()) {
    double total = 0;
    for (const Running& r : running) total += (*r.group)[r.position].demand;
    double step = std::numeric_limits<double>::infinity();
    const double all = hunger(total), crowd = 1 + sharing.crowding * (static_cast<double>(running.size()) - 1);
    for (Running& r : running) {
      if (running.size() == 1)
        r.rate = 1;
      else if (soft)
        r.rate = 1 / (std::pow(1 + all - r.hunger, 1 / sharing.softness) * crowd);
      else
        r.rate = 1 / (std::max(1.0, total) * crowd);
      step = std::min(step, r.left / r.rate);
    }
    now += step;
    for (std::size_t i = 0; i < running.size();) {
      Running& r = running[i];
      r.left -= step * r.rate;
      if (r.left > 1e-12 * now) {
        ++i;
      } else if (++r.position < r.group->size()) {
        r.left = sharing.following_ms((*r.group)[r.position].ms);
        r.hunger = hunger((*r.group)[r.position].demand);
        ++i;
      } else {
        r = running.back();
        running.pop_back();
      }
    }
  }
  return now + sharing.fork_ms * std::max(0, started - 1);
}

}  // namespace opsched
