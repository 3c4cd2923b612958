#include "core/runtime/trace/active_warps.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"

namespace opsched {

std::vector<WarpSample> active_warps(const Trace& trace, int device) {
  std::map<double, double> change;  // change in resident warps on the device, by time
  for (const TraceEvent& e : trace.events) {
    if (e.blocks == 0 || e.blocks_per_sm == 0 || trace.rows[e.row].device != device) continue;
    const auto blocks = static_cast<double>(e.blocks);
    const double waves = std::ceil(blocks / (static_cast<double>(e.blocks_per_sm) * trace.multiprocessors));
    const double warps = blocks / waves * std::ceil(e.threads / 32.0);
    change[e.start] += warps;
    change[e.end] -= warps;
  }
  if (change.empty() || trace.multiprocessors == 0)
    throw Error("active warps are only known for kernels that ran on a GPU");
  std::vector<WarpSample> samples;
  if (change.begin()->first > 0) samples.push_back({0, 0});
  double warps = 0;
  for (const auto& [time, by] : change) {
    warps += by;
    const double per_sm = std::clamp(warps / trace.multiprocessors, 0.0, static_cast<double>(trace.max_warps_per_sm));
    samples.push_back({time, per_sm < 1e-9 ? 0 : per_sm});
  }
  if (samples.back().t_ms < trace.makespan) samples.push_back({trace.makespan, 0});
  return samples;
}

double mean_warps(const std::vector<WarpSample>& samples) {
  double area = 0;
  for (std::size_t i = 0; i + 1 < samples.size(); ++i)
    area += samples[i].warps_per_sm * (samples[i + 1].t_ms - samples[i].t_ms);
  const double span = samples.empty() ? 0 : samples.back().t_ms - samples.front().t_ms;
  return span > 0 ? area / span : 0;
}

std::vector<WarpSample> resampled(const std::vector<WarpSample>& samples, int count) {
  std::vector<WarpSample> even;
  const double begin = samples.front().t_ms, step = (samples.back().t_ms - begin) / count;
  std::size_t at = 0;
  for (int i = 0; i < count; ++i) {
    const double from = begin + i * step, to = from + step;
    double area = 0;
    while (at + 1 < samples.size() && samples[at + 1].t_ms <= from) ++at;
    for (std::size_t s = at; s + 1 < samples.size() && samples[s].t_ms < to; ++s)
      area +=
          samples[s].warps_per_sm * std::max(0.0, std::min(to, samples[s + 1].t_ms) - std::max(from, samples[s].t_ms));
    even.push_back({from + step / 2, area / step});
  }
  return even;
}

}  // namespace opsched
