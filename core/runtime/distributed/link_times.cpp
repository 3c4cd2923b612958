#include "core/runtime/distributed/link_times.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/runtime/distributed/distributed_executor.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

constexpr int kBase = 2;  // hops that every round has: its beginning and end fall out of the difference
constexpr std::int64_t kLong = 1 << 20;
constexpr int kHops = 20, kLongHops = 4;

/// An executor of parts wants a graph, of which hops use nothing.
Graph no_operators() {
  Graph graph("transfers");
  graph.add("out", {graph.all(graph.add_input("in", {1, 1, 1}))}, {});
  return graph;
}

class LinkTimer {
 public:
  LinkTimer(ProcessGroup& processes, PartRuntime& runtime, const ProcessDevices& devices, Precision precision)
      : processes_(processes), runtime_(runtime), devices_(devices), precision_(precision) {}

  ProfileEntry time(TransferHops hops) const {
    const int more = hops.bytes < kLong ? kHops : kLongHops;
    hops.count = kBase;
    const Measurement base = round(hops);
    hops.count = kBase + more;
    const Measurement whole = round(hops);
    const double ms = (whole.median - base.median) / more;
    if (ms <= 0)
      throw Error("transfers of " + human_bytes(static_cast<double>(hops.bytes)) + " from device " +
                  std::to_string(hops.from) + " to " + std::to_string(hops.to) +
                  " take too unsteady a time: measure again while nothing else uses these hosts");
    return {.ms = ms, .mad_ratio = whole.mad_ratio, .runs = whole.runs};
  }

 private:
  Measurement round(const TransferHops& hops) const {
    const auto executor = make_distributed_executor(processes_, runtime_,
                                                    {.back_end = runtime_.name(),
                                                     .precision = precision_,
                                                     .graph = no_operators(),
                                                     .process_of = devices_.process_of,
                                                     .hops = hops});
    return executor->measure({.warmup = 2, .min_runs = 18, .max_runs = 90, .max_noise = 0.01, .max_seconds = 0.2});
  }

  ProcessGroup& processes_;
  PartRuntime& runtime_;
  const ProcessDevices& devices_;
  Precision precision_;
};

}  // namespace

void measure_links(ProcessGroup& processes, PartRuntime& runtime, const ProcessDevices& devices, Profile& profile,
                   const LinkSizes& sizes, const std::function<void(const std::string&)>& progress) {
  profile.set_topology(topology_of(devices.process_of, devices.host_of));
  const LinkTimer timer(processes, runtime, devices, profile.precision());
  const auto first_of = [&](int process) {
    return static_cast<int>(std::ranges::find(devices.process_of, process) - devices.process_of.begin());
  };
  for (int rank = 0; rank + 1 < processes.size(); ++rank)
    for (std::int64_t bytes = sizes.smallest; bytes <= sizes.largest; bytes *= 4) {
      const int from = first_of(rank), to = first_of(rank + 1);
      const LinkKind kind = profile.topology().kind(from, to);
      if (profile.transfers(kind).contains({from, to, bytes})) continue;
      if (progress)
        progress("transfers from rank " + std::to_string(rank) + " to " + std::to_string(rank + 1) + ": " +
                 human_bytes(static_cast<double>(bytes)));
      const ProfileEntry entry = timer.time({.from = from, .to = to, .bytes = bytes});
      profile.record_transfer(from, to, bytes, entry, kind);
      profile.record_transfer(to, from, bytes, entry, kind);
    }
}

}  // namespace opsched
