// Figures that are only selections: latencies of schedules and of other software, and what other commands recorded.
#include <algorithm>

#include "core/error.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// Among the schedulers: latencies of other software (experiments/baselines/), and ours measured next to it.
const std::string kOthers = "other software";

/// What finding and timing takes on an H200 from an empty profile, roughly.
double expected_seconds(const records::Case& what) {
  if (!what.scheduler.starts_with("ios")) return 0.5;
  if (what.network == "squeezenet") return 1;
  return what.network == "inception_v3" ? 8 + 0.3 * what.batch : 30;
}

/// All measurements of other software on this network, in any mode, and of ours in the same run (label "beside").
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
            std::vector<std::pair<std::string, std::string>> shown;  // with their files
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

/// The networks under every schedule of the paper, and our own.
Figure schedules_figure() {
  return latency_figure(
      "schedules", "Schedules compared: throughput, normalised to the best", "schedules compared", ios_networks(), {1},
      {"sequential", "greedy", "wavefront", "ios-merge", "ios-both", "ios-parallel", "ios-dataflow", "dataflow"});
}

/// What a user would run instead, compared with ours.
Figure frameworks_figure() {
  return latency_figure("frameworks", "Frameworks compared, batch 1", "frameworks compared", ios_networks(), {1},
                        {kOthers, "sequential", "ios-both", "dataflow"});
}

Figure batches_figure() {
  return latency_figure("batches", "Inception V3 by batch size: sequential, the best other software, IOS",
                        "batch sizes", {"inception_v3"}, {1, 16, 32, 64, 128},
                        {"sequential", "ios-both", "dataflow", kOthers});
}

/// A tuned compiler, which makes each operator fast, against IOS, which runs operators side by side.
Figure intra_inter_figure() {
  return latency_figure(
      "intra_inter", "Intra- against inter-operator parallelism: a tuned compiler against IOS, batch 1",
      "intra- and inter-operator parallelism", ios_networks(), {1}, {kOthers, "sequential", "ios-both"});
}

/// Ours, compared with the paper's and its public code's.
Figure latencies_figure() {
  return latency_figure("latencies",
                        "All latencies and search times, beside the paper's V100 and its public code on an H200",
                        "table of latencies and optimisation cost", ios_networks(), {1},
                        {"sequential", "wavefront", "ios-merge", "ios-both", "ios-parallel", kOthers});
}

/// Sequential against IOS: derived from, or counted by, what only a GPU knows.
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
