#include "core/cost/profile/transfer_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "core/statistics.hpp"

namespace opsched {
namespace {

/// Interpolates along a measured pair. Its points are neighbours in the map: (from, to, 0) up to (from, to, largest
/// size).
double along(const Transfers& transfers, int from, int to, std::int64_t bytes) {
  const auto first = transfers.lower_bound({from, to, 0});
  const auto last = transfers.lower_bound({from, to + 1, 0});
  auto high = transfers.lower_bound({from, to, bytes});
  if (high == first) return first->second.ms;
  if (high == last && std::prev(high) != first) --high;
  auto low = std::prev(high);
  if (high == last) return low->second.ms * std::max(1.0, double(bytes) / double(std::get<2>(low->first)));
  const double x0 = double(std::get<2>(low->first)), x1 = double(std::get<2>(high->first));
  const double slope = std::max(0.0, (high->second.ms - low->second.ms) / (x1 - x0));
  return bytes > x1 ? high->second.ms + slope * (bytes - x1)
                    : low->second.ms + (high->second.ms - low->second.ms) * (bytes - x0) / (x1 - x0);
}

}  // namespace

bool holds_pair(const Transfers& transfers, int from, int to) {
  const auto pair = transfers.lower_bound({from, to, 0});
  return pair != transfers.end() && std::get<0>(pair->first) == from && std::get<1>(pair->first) == to;
}

std::optional<double> transfer_latency(const Transfers& transfers, int from, int to, std::int64_t bytes) {
  if (transfers.empty()) return {};
  if (holds_pair(transfers, from, to)) return along(transfers, from, to, bytes);
  std::vector<double> others;
  for (auto it = transfers.begin(); it != transfers.end();) {
    const auto [a, b, size] = it->first;
    others.push_back(along(transfers, a, b, bytes));
    it = transfers.lower_bound({a, b + 1, 0});
  }
  return quantile(std::move(others), 0.5);
}

}  // namespace opsched
