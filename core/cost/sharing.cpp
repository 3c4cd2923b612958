#include "core/cost/sharing.hpp"

#include <algorithm>
#include <cmath>

namespace opsched {

double Sharing::slowdown(double demand, double total, int running) const {
  if (running <= 1) return 1;
  const double crowd = 1 + crowding * (running - 1);
  if (std::isinf(softness)) return std::max(1.0, total) * crowd;
  return std::pow(1 + std::pow(total, softness) - std::pow(demand, softness), 1 / softness) * crowd;
}

double Sharing::following_ms(double ms) const { return std::max(ms - chain_ms, 0.2 * ms); }

double share(std::span<const std::vector<Task>> groups, const Sharing& sharing) {
  struct Running {
    const std::vector<Task>* group;
    std::size_t position;
    double left, rate;
  };
  std::vector<Running> running;
  running.reserve(groups.size());
  for (const auto& group : groups)
    if (!group.empty()) running.push_back({&group, 0, group.front().ms, 0});
  const int started = static_cast<int>(running.size());

  double now = 0;
  while (!running.empty()) {
    double total = 0;
    for (const Running& r : running) total += (*r.group)[r.position].demand;
    double step = std::numeric_limits<double>::infinity();
    for (Running& r : running) {
      const double demand = (*r.group)[r.position].demand;
      r.rate = 1 / sharing.slowdown(demand, total, static_cast<int>(running.size()));
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
