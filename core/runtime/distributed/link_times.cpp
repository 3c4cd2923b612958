#include "core/runtime/distributed/link_times.hpp"

#include <algorithm>

#include "core/runtime/distributed/distributed_executor.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

// Hops per round; they share the overhead of starting and ending it.
constexpr int kHops = 20, kHopsOfLarge = 10;
constexpr std::int64_t kLarge = 1 << 20;

/// Executors of parts need a graph, but hops use none of it.
Graph no_operators() {
  Graph graph("transfers");
  graph.add("out", {graph.all(graph.add_input("in", {1, 1, 1}))}, {});
  return graph;
}

ProfileEntry time_hops(ProcessGroup& processes, PartRuntime& runtime, const ProcessDevices& devices,
                       Precision precision, const TransferHops& hops) {
  const auto executor = make_distributed_executor(processes, runtime,
                                                  {.back_end = runtime.name(),
                                                   .precision = precision,
                                                   .graph = no_operators(),
                                                   .process_of = devices.process_of,
                                                   .hops = hops});
  const Measurement round =
      executor->measure({.warmup = 2, .min_runs = 18, .max_runs = 90, .max_noise = 0.01, .max_seconds = 0.2});
  return {.ms = round.median / hops.count, .mad_ratio = round.mad_ratio, .runs = round.runs};
}

}  // namespace

void measure_links(ProcessGroup& processes, PartRuntime& runtime, const ProcessDevices& devices, Profile& profile,
                   const LinkSizes& sizes, const std::function<void(const std::string&)>& progress) {
  profile.set_topology(topology_of(devices.process_of, devices.host_of));
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
      const ProfileEntry entry =
          time_hops(processes, runtime, devices, profile.precision(),
                    {.from = from, .to = to, .bytes = bytes, .count = bytes < kLarge ? kHops : kHopsOfLarge});
      profile.record_transfer(from, to, bytes, entry, kind);
      profile.record_transfer(to, from, bytes, entry, kind);
    }
}

}  // namespace opsched
