// opsched ablation: measures what each part of the IOS search contributes on one network.
#include "core/graph/blocks.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/studies/ios_ablation.hpp"
#include "experiments/studies/scratch_folder.hpp"

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

  void add_to(CLI::App& app) {
    graph.add_to(app);
    run.add_to(app);
    app.add_option("--study", studies, "pruning, strategies, enumerations, measuring, barriers");
    app.add_option("--part", part, "Only this part of the graph, counted from 0 (opsched count lists the parts)")
        ->check(CLI::Range(0, 1 << 20));
    app.add_flag("--shared-profile", shared_profile,
                 "On a GPU: let all searches share the profile in --profile, which may already contain stages");
    records.add_to(app);
  }
};

void print_ablations(const std::vector<Record>& rows) {
  TextTable table({Align::left, Align::right}, {"study", "run, ms", "from", "predicted, ms", "bound, ms", "stages",
                                                "transitions", "asked of", "measured", "search, s"});
  std::string study;
  for (const Record& row : rows) {
    if (row.labels.at("study") != study) table.add({study = row.labels.at("study")});
    table.add({"  " + row.labels.at("variant"), fixed(*row.value, 4), to_string(row.provenance),
               fixed(row.number("predicted_ms"), 4), fixed(row.number("bound_ms"), 4), fixed(row.number("stages"), 0),
               fixed(row.number("transitions"), 0), fixed(row.number("distinct_stages"), 0),
               fixed(row.number("measured_stages"), 0), fixed(row.number("search_seconds"), 2)});
  }
  std::cout << table.text();
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

void ablation(const AblationOptions& options) {
  StatusLine status;
  const DeviceOptions wanted = options.run.device_options(1, status, options.records.out);
  const GraphOnDevice on(load_graph(options), options.run, wanted);
  const std::unique_ptr<records::RecordFile> file = options.records.open(*on.device);
  const records::Case what = options.graph.case_of(on.graph, on.precision, "ios-both");
  const bool apart = on.device->measures() && !options.shared_profile;
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
  EmptyProfile empty(on.graph, on.precision, wanted);
  AblationSource source;
  source.costs = [&]() -> CostModel& { return apart ? empty.costs() : *on.costs; };
  source.run = [&](const Schedule& schedule) {
    const std::unique_ptr<Executor> executor = on.device->executor(*on.costs, schedule, on.precision, 1);
    return bench::timed(what, *on.costs, {.schedule = schedule}, *executor, executor->measure({}));
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
    on.device->save();
  };
  ios_ablation(options.studies, source);
  if (file) file->finish();
  status.clear();
  std::cout << wrapped(on.device->heading() + (apart ? ", each search from an empty profile" : ""), "  ") << "\n";
  print_ablations(rows);
}

}  // namespace

Command ablation_command() {
  return {.name = "ablation",
          .summary =
              "Measure the effect of each component of the IOS search: pruning, merging, endings, measuring, barriers",
          .examples =
              "  opsched ablation inception_v3                                every study\n"
              "  opsched ablation nasnet --study pruning --out results/h200   one study, recorded; can be continued\n"
              "  opsched ablation nasnet --part 4 --study measuring           one cell\n"
              "On a GPU every search starts from its own empty profile, so that all its measurements are counted.",
          .setup = setup_of(ablation)};
}

}  // namespace opsched::cli
