// opsched ablation: what each part of the IOS search is worth on one network.
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "core/graph/blocks.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/command_line.hpp"
#include "experiments/console/progress.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/studies/empty_profile.hpp"
#include "experiments/studies/ios_ablation.hpp"

namespace opsched::cli {
namespace {

using records::Record;

struct AblationOptions {
  GraphOptions graph;
  RunOptions run;
  RecordOptions records;
  std::vector<std::string> studies = ablation_studies();
  int part = -1;
  bool shared_profile = false;
};

void print(const std::vector<Record>& rows) {
  TextTable table({Align::left, Align::left, Align::right});
  table.add({"study", "variant", "run, ms", "from", "predicted, ms", "bound, ms", "stages", "transitions", "asked of",
             "measured", "search, s"});
  table.add_rule();
  for (const Record& row : rows)
    table.add({row.labels.at("study"), row.labels.at("variant"), fixed(*row.value, 4), to_string(row.provenance),
               fixed(row.number("predicted_ms"), 4), fixed(row.number("bound_ms"), 4), fixed(row.number("stages"), 0),
               fixed(row.number("transitions"), 0), fixed(row.number("distinct_stages"), 0),
               fixed(row.number("measured_stages"), 0), fixed(row.number("search_seconds"), 2)});
  table.print(std::cout);
}

Graph load_graph(const AblationOptions& options) {
  Graph graph = options.graph.load();
  if (options.part < 0) return graph;
  const std::vector<IosPart> parts = ios_parts(graph, IosOptions{}.max_part_size);
  if (options.part >= static_cast<int>(parts.size()))
    throw Error("--part " + std::to_string(options.part) + ": '" + graph.name() + "' has " +
                std::to_string(parts.size()) + " parts, numbered from 0");
  return cut_out(graph, {"all", parts[options.part].ops, {}}, graph.name() + "-part" + std::to_string(options.part));
}

void ablation(const AblationOptions& options, const std::string& command) {
  StatusLine status;
  const Graph graph = load_graph(options);
  const Precision precision = parse_precision(options.run.precision);
  const std::unique_ptr<Device> device = open_device(options.run.device_options(1, status));
  device->require(1, precision);
  const std::unique_ptr<CostModel> shared = device->costs(graph, precision);
  const std::unique_ptr<records::RecordFile> file = options.records.open(device->run(command));
  const records::Case what{.network = options.graph.name(),
                           .scheduler = "ios-both",
                           .batch = graph.batch(),
                           .image = options.graph.parameters.image,
                           .precision = precision};
  const auto labelled = [&](Record record) {
    record.labels.merge(options.graph.labels());
    if (options.part >= 0) record.labels["part"] = std::to_string(options.part);
    if (options.shared_profile) record.labels["profile"] = "shared";
    return record;
  };
  std::vector<Record> rows;
  const auto show = [&](const Record& record) {
    std::erase_if(rows, [&](const Record& row) { return row.labels == record.labels; });
    rows.push_back(record);
  };
  EmptyProfile empty(graph, precision, options.run.device_options(1, status));
  AblationSource source;
  source.costs = [&]() -> CostModel& {
    return device->measures() && !options.shared_profile ? empty.costs() : *shared;
  };
  source.run = [&](const Schedule& schedule) {
    const std::unique_ptr<Executor> executor = device->executor(*shared, schedule, precision, 1);
    return bench::timed(what, *shared, {.schedule = schedule}, *executor, executor->measure({}));
  };
  source.progress = interruptible(status);
  source.known = [&](const std::string& study, const std::string& variant) {
    const std::string key = labelled({.what = what, .labels = {{"study", study}, {"variant", variant}}}).key();
    const Record* made = file ? file->made(key) : nullptr;
    if (made != nullptr) show(*made);
    return made != nullptr;
  };
  source.done = [&](const bench::Timed& timed) {
    const Record record = labelled(timed.record);
    show(record);
    if (file) file->add(record, timed.schedule, timed.kernels);
    device->save();
  };
  ios_ablation(options.studies, source);
  if (file) file->finish();
  status.clear();
  std::cout << device->heading()
            << (device->measures() && !options.shared_profile ? ", every search from an empty profile" : "") << "\n";
  print(rows);
}

}  // namespace

Command ablation_command() {
  return {.name = "ablation",
          .summary = "What each part of the IOS search is worth: pruning, merging, endings, measuring, barriers",
          .examples =
              "  opsched ablation inception_v3                                every study\n"
              "  opsched ablation nasnet --study pruning --out results/h200   one, kept; goes on where it was stopped\n"
              "  opsched ablation nasnet --part 4 --study measuring           a cell\n"
              "On a GPU every search measures into an empty profile of its own, so that all it measures is counted.",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<AblationOptions>();
            options->graph.add_to(app);
            options->run.add_to(app);
            app.add_option("--study", options->studies, "pruning, strategies, enumerations, measuring, barriers")
                ->capture_default_str();
            app.add_option("--part", options->part, "Only this part of the graph (opsched count shows them), from 0")
                ->check(CLI::Range(0, 1 << 20));
            app.add_flag("--shared-profile", options->shared_profile,
                         "On a GPU: search on the one profile of --profile, which may know stages already");
            options->records.add_to(app);
            return [options] { ablation(*options, command_line()); };
          }};
}

}  // namespace opsched::cli
