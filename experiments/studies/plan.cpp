#include "experiments/studies/plan.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/error.hpp"
#include "networks/network.hpp"

namespace opsched::profile {
namespace {

using bench::Case;
using bench::Selection;

const std::vector<std::string> kSimple = {"sequential", "wavefront", "greedy", "dataflow"};
const std::vector<std::string> kIos = {"sequential", "ios-merge", "ios-parallel", "ios-both", "ios-dataflow"};
/// Those compared with the numbers of the IOS paper.
const std::vector<std::string> kPaper = {"sequential",   "wavefront", "ios-merge",
                                         "ios-parallel", "ios-both",  "dataflow"};
/// Those that measure whole schedules while they search.
const std::vector<std::string> kVerified = {"ios-verified", "dataflow-search"};
const std::vector<std::string> kIosAndBounds = {"sequential", "wavefront", "ios-both", "dataflow"};
const std::vector<std::string> kHios = {"hios-lp-inter", "hios-mr-inter", "hios-lp", "hios-mr", "heft", "reinsert"};

struct Draft {
  std::string title, needed_for;
  std::vector<Selection> selections;
};

std::vector<Draft> quick_plan() {
  return {{"Two networks, batch 1, fp32",
           "a first impression",
           {{.networks = {"squeezenet", "inception_v3"}, .schedulers = kIosAndBounds, .precisions = {"fp32"}}}}};
}

std::vector<Draft> full_plan(int gpus) {
  std::vector<Draft> drafts = {
      {"Schedules without a search, batch 1",
       "solo latencies; schedules compared; baselines",
       {{.schedulers = kSimple}}},
      {"IOS, batch 1",
       "schedules compared; active warps; blocks; pruning",
       {{.networks = {"squeezenet", "inception_v3"}, .schedulers = kIos},
        {.networks = {"randwire", "nasnet"}, .schedulers = kIos, .precisions = {"fp32"}},
        {.networks = {"randwire-paper"}, .schedulers = kPaper, .precisions = {"fp32"}}}},
      {"Searches that measure whole schedules, batch 1",
       "schedules compared; baselines",
       {{.networks = {"squeezenet", "inception_v3", "randwire", "nasnet"}, .schedulers = kVerified}}},
      {"Batch sizes",
       "batch sizes; specialisation; the last block",
       {{.networks = {"inception_v3"},
         .schedulers = kIosAndBounds,
         .batches = {16, 32, 64, 128},
         .precisions = {"fp32"}}}},
      {"Image sizes",
       "HIOS: latency and gain by image size, one GPU",
       {{.networks = {"inception_v3", "nasnet"},
         .schedulers = {"sequential", "ios-both", "dataflow"},
         .images = {512, 1024, 2048},
         .precisions = {"fp32"}}}}};
  std::vector<int> counts;
  for (int count = 2; count <= gpus; count *= 2) counts.push_back(count);
  if (gpus > 1 && counts.back() != gpus) counts.push_back(gpus);
  if (!counts.empty())
    drafts.push_back({"Several GPUs",
                      "transfers; HIOS: latency by image size and GPU count, optimisation cost",
                      {{.networks = {"inception_v3", "nasnet"},
                        .schedulers = kHios,
                        .images = {0, 512, 1024, 2048},
                        .precisions = {"fp32"},
                        .gpus = counts}}});
  return drafts;
}

Draft own_graphs(const PlanOptions& options) {
  std::vector<std::string> schedulers = kSimple;
  std::ranges::copy_if(kIos, std::back_inserter(schedulers),
                       [](const std::string& name) { return std::ranges::count(kSimple, name) == 0; });
  const std::vector<std::string> precisions =
      options.quick ? std::vector<std::string>{"fp32"} : std::vector<std::string>{};
  return {"Graph files, batch 1",
          "your own graphs in bench and reproduce --graph",
          {{.files = options.files, .schedulers = schedulers, .precisions = precisions}}};
}

}  // namespace

std::vector<PlanStep> make_plan(const PlanOptions& options) {
  for (const std::string& name : options.networks) find_network(name);
  std::set<Precision> precisions;
  for (const std::string& name : options.precisions) precisions.insert(parse_precision(name));
  std::vector<Draft> drafts;
  if (!options.files.empty()) drafts = {own_graphs(options)};
  if (options.files.empty() || !options.networks.empty())
    std::ranges::move(options.quick ? quick_plan() : full_plan(options.gpus), std::back_inserter(drafts));
  std::vector<PlanStep> steps;
  std::vector<Case> planned;
  for (const Draft& draft : drafts) {
    PlanStep step{draft.title, draft.needed_for, {}};
    for (const Selection& selection : draft.selections)
      for (const Case& c : bench::make_cases(selection)) {
        const bool wanted = (!c.file.empty() || options.networks.empty() ||
                             std::ranges::find(options.networks, c.network) != options.networks.end()) &&
                            (precisions.empty() || precisions.contains(c.precision));
        if (!wanted || std::ranges::find(planned, c) != planned.end()) continue;
        planned.push_back(c);
        step.cases.push_back(c);
      }
    if (!step.cases.empty()) steps.push_back(std::move(step));
  }
  if (steps.empty())
    throw Error(
        "the plan has nothing for these networks and precisions: `opsched profile --plan` shows all of it, and "
        "`opsched bench` measures other cases");
  return steps;
}

std::vector<double> expected_seconds(const std::vector<Case>& cases) {
  constexpr double kLatency = 1.2, kTuneAnOperator = 0.25, kSearchAnOperator = 0.15, kVerify = 7;
  std::set<std::tuple<std::string, Precision, int, ImageSize>> tuned, searched;
  std::map<std::string, int> operators;
  std::vector<double> seconds;
  for (const Case& c : cases) {
    const auto graph = std::tuple(c.network, c.precision, c.batch, c.image);
    const auto [count, unknown] = operators.try_emplace(c.network);
    if (unknown) try {
        count->second = static_cast<int>(bench::make_graph(c).units().size());
      } catch (const Error&) {  // the graph file cannot be read; reported when the case runs
      }
    const int units = count->second;
    double& expected = seconds.emplace_back(kLatency);
    if (tuned.insert(graph).second) expected += kTuneAnOperator * units;
    if (c.scheduler.starts_with("ios-") && searched.insert(graph).second) expected += kSearchAnOperator * units;
    if (std::ranges::count(kVerified, c.scheduler) > 0) expected += kVerify;
  }
  return seconds;
}

}  // namespace opsched::profile
