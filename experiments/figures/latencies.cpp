// Figures that only select records: latencies of schedules and other software, and records of other commands.
#include <algorithm>

#include "core/error.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// Stands in the list of schedulers for the latencies of other software (experiments/baselines/) and of our schedules
/// measured next to it.
const std::string kOthers = "other software";

/// Rough time to find and measure a schedule on an H200 from an empty profile.
double expected_seconds(const records::Case& what) {
  if (!what.scheduler.starts_with("ios")) return 0.5;
  if (what.network == "squeezenet") return 1;
  return what.network == "inception_v3" ? 8 + 0.3 * what.batch : 30;
}

/// All measurements of other software on this network, in any mode, and of our schedules in the same run (label
/// "beside").
Item baseline_item(const std::string& network, int batch, Precision precision) {
  const std::string name =
      kOthers + " on " + network + " at batch " + std::to_string(batch) + " in " + to_string(precision);
  return {.name = name,
          .keys = {},
          .select =
              [=](const records::Record& record) {
                const records::Case& what = record.what;
                return record.quantity == "latency" && what.network == network && what.batch == batch &&
                       what.image == 0 && what.gpus == 1 && what.precision == precision &&
                       (what.software != "opsched" || record.labels.contains("beside"));
              },
          .why = "not measured yet: experiments/baselines/run_baselines.py does it"};
}

Figure latency_figure(const std::string& name, const std::string& title, const std::string& paper,
                      const std::vector<std::string>& networks, const std::vector<int>& batches,
                      const std::vector<std::string>& schedulers) {
  return {.name = name, .title = title, .paper = "IOS: " + paper, .items = [=](const FigureSettings& settings) {
            const Precision precision = settings.precision;
            std::vector<std::pair<std::string, std::string>> shown;  // with their graph files
            for (const std::string& network : networks) shown.emplace_back(network, "");
            if (networks == ios_networks()) {
              for (const std::string& network : settings.networks)
                if (std::ranges::count(networks, network) == 0) shown.emplace_back(network, "");
              shown.insert(shown.end(), settings.files.begin(), settings.files.end());
            }
            std::vector<std::string> compared = schedulers;
            if (name == "schedules")
              std::ranges::copy_if(settings.schedulers, std::back_inserter(compared),
                                   [&](const std::string& s) { return std::ranges::count(schedulers, s) == 0; });
            std::vector<Item> items;
            for (const auto& [network, file] : shown)
              for (const int batch : batches)
                for (const std::string& scheduler : compared)
                  items.push_back(scheduler == kOthers ? baseline_item(network, batch, precision)
                                                       : latency_item({.network = network,
                                                                       .scheduler = scheduler,
                                                                       .batch = batch,
                                                                       .precision = precision,
                                                                       .file = file}));
            return items;
          }};
}

}  // namespace

Item latency_item(const records::Case& what, bool only_measured) {
  Item item{.name = what.name(), .keys = {records::Record{.what = what}.key()}, .seconds = expected_seconds(what)};
  only_measured |= what.network == "randwire-paper";
  item.make = [=](FigureContext& context) {
    if (only_measured && !context.settings().measurable(what))
      throw Error("not measured yet: `opsched reproduce` does it on " +
                  (what.gpus == 1
                       ? std::string("a GPU")
                       : std::to_string(what.gpus) + " GPUs of one host (--gpus " + std::to_string(what.gpus) + ")"));
    context.add(context.runner().time(what, context.runner().find(what)));
  };
  return item;
}

/// The networks under all schedulers of the IOS paper and ours.
Figure schedules_figure() {
  return latency_figure(
      "schedules", "Schedules compared: throughput, normalised to the best", "schedules compared", ios_networks(), {1},
      {"sequential", "greedy", "wavefront", "ios-merge", "ios-both", "ios-parallel", "ios-dataflow", "dataflow"});
}

/// Software that a user would run instead, compared with ours.
Figure frameworks_figure() {
  return latency_figure("frameworks", "Frameworks compared, batch 1", "frameworks compared", ios_networks(), {1},
                        {kOthers, "sequential", "ios-both", "dataflow"});
}

Figure batches_figure() {
  return latency_figure("batches", "Inception V3 by batch size: sequential, the best other software, IOS",
                        "batch sizes", {"inception_v3"}, {1, 16, 32, 64, 128},
                        {"sequential", "ios-both", "dataflow", kOthers});
}

/// A tuned compiler, which speeds up single operators, compared with IOS, which runs operators in parallel.
Figure intra_inter_figure() {
  return latency_figure(
      "intra_inter", "Intra- against inter-operator parallelism: a tuned compiler against IOS, batch 1",
      "intra- and inter-operator parallelism", ios_networks(), {1}, {kOthers, "sequential", "ios-both"});
}

/// Our latencies next to those of the paper and of its public code.
Figure latencies_figure() {
  return latency_figure("latencies",
                        "All latencies and search times, beside the paper's V100 and its public code on an H200",
                        "table of latencies and optimisation cost", ios_networks(), {1},
                        {"sequential", "wavefront", "ios-merge", "ios-both", "ios-parallel", kOthers});
}

/// Sequential and IOS: warps derived from traces, or counted by the hardware; both need a GPU.
Figure active_warps_figure() {
  return {.name = "active_warps",
          .title = "Active warps over time, sequential against IOS",
          .paper = "IOS: active warps",
          .items = [](const FigureSettings&) {
            return std::vector<Item>{
                {.name = "active warps",
                 .keys = {},
                 .select = [](const records::Record& record) { return record.quantity == "active_warps"; },
                 .why = "not measured yet: opsched warps does it"}};
          }};
}

}  // namespace opsched::figures
