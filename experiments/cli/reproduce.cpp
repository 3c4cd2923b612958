// opsched reproduce: makes the figures of the papers.
#include "experiments/figures/reproduce.hpp"
#include "experiments/cli/options.hpp"

namespace opsched::cli {
namespace {

struct ReproduceOptions {
  std::vector<std::string> names, networks, graphs, schedulers, formats = figures::picture_formats();
  DeviceOptions device;
  MeasureOptions measure{.max_seconds = 1};
  CacheOptions cache;
  bool list = false, fresh = false, no_pictures = false;

  void add_to(CLI::App& app) {
    app.add_option("FIGURE", names, "Names of figures, or all (default: all)");
    app.add_flag("--list", list, "Only list the figures and their status");
    add_device(app, device);
    app.get_option("--profile")
        ->description("Results folder: that of the profile to replay, or to measure into (default: results/DEVICE)");
    app.add_option("--network", networks, "Add your own networks to the papers', as in a,b")->delimiter(',');
    app.add_option("--graph", graphs, kGraphsHelp)->delimiter(',');
    app.add_option("--scheduler", schedulers,
                   "Add your own schedulers to the figure that compares schedulers, as in a,b")
        ->delimiter(',');
    app.add_option("--gpus", device.gpus, "Number of GPUs that may be used")->check(CLI::Range(1, 64));
    app.add_flag("--fresh", fresh, "Make every record again (replays never replace measurements)");
    cache.add_to(app);
    app.add_option("--max-seconds", measure.max_seconds, "Time limit for measuring one schedule");
    app.add_option("--formats", formats, "Of the pictures, as in svg,pdf")
        ->delimiter(',')
        ->check(CLI::IsMember(figures::picture_formats()));
    app.add_flag("--no-pictures", no_pictures, "Only data and pages; needs no matplotlib");
  }
};

/// The results folder of the device, which holds its profile.
std::string results_folder(const ReproduceOptions& options, const Device& device) {
  if (!options.device.profile.empty()) return options.device.profile;
  return device.measures() ? "results/" + device.name() : default_recorded_folder();
}

void print_list(const std::string& results) {
  TextTable table({Align::left}, {"figure", "shows", "state", "why"});
  for (const figures::Standing& figure : figures::standings(results))
    table.add({figure.name, figure.title, figure.state.word, figure.state.why});
  std::cout << "figures in " << figures::figures_folder(results) << "\n";
  std::cout << table.text();
}

void draw(const ReproduceOptions& options, const std::string& results, const std::vector<figures::Figure>& chosen) {
  std::vector<std::string> names;
  names.reserve(chosen.size());
  for (const figures::Figure& figure : chosen) names.push_back(figure.name);
  try {
    figures::draw(figures::figures_folder(results), names,
                  options.no_pictures ? std::vector<std::string>{} : options.formats);
  } catch (const Error&) {
    check_interrupt();  // Ctrl-C also ends the drawing
    throw;
  }
}

void reproduce(ReproduceOptions& options) {
  const std::vector<figures::Figure> chosen = figures::chosen_figures(options.names);
  for (const std::string& name : options.networks) find_network(name);
  for (const std::string& name : options.schedulers) check_scheduler(name, 1, {});
  const std::map<std::string, std::string> files = bench::graph_files(options.graphs);
  StatusLine status;
  figures::Work work;
  Countdown countdown;
  const Report report = [&](const std::string& text) {
    check_interrupt();
    const double part = work.expected_seconds > 0 ? work.expected_seconds_done / work.expected_seconds : 0;
    status.show(countdown.text(work.done, work.items, part) + text);
  };
  options.device.report = report;
  const bool replays = options.device.kind == "sim" || (options.device.kind == "auto" && !has_gpu());
  if (replays && options.device.profile.empty() && !options.list && copy_recorded_folders())
    warn("copied what is recorded to results/");
  const std::unique_ptr<Device> device = open_device(options.device);
  const std::string results = results_folder(options, *device);
  if (options.list) return print_list(results);

  std::cout << wrapped(device->heading(), "  ") << std::endl;
  const std::unique_ptr<records::RecordFile> file = RecordOptions{.out = results, .fresh = options.fresh}.open(*device);
  device->open(Precision::fp32);  // a device that cannot be opened ends the command before anything is recorded
  const bench::ScheduleStore store(options.cache.schedules(), warn);
  figures::FigureContext context(*device, store, options.measure,
                                 {.results = results,
                                  .device = device->facts().name,
                                  .measures = device->measures(),
                                  .fresh = options.fresh,
                                  .gpus = options.device.gpus,
                                  .precision = Precision::fp32,
                                  .networks = options.networks,
                                  .schedulers = options.schedulers,
                                  .files = files},
                                 *file, report);
  const std::vector<figures::IndexFigure> made = figures::gather(context, chosen, work);
  file->finish();
  figures::write_index(figures::index_file(results), figures::merged(results, made));
  status.clear();
  draw(options, results, chosen);
  print_list(results);
}

}  // namespace

Command reproduce_command() {
  return {.name = "reproduce",
          .summary = "Reproduce the figures of the IOS and HIOS papers, and compare with the papers' numbers",
          .examples =
              "  opsched reproduce                        every figure: measured on a GPU; otherwise drawn from\n"
              "                                           records, or replayed where there are none\n"
              "  opsched reproduce --list                 the figures and their status\n"
              "  opsched reproduce batches pruning        two figures\n"
              "  opsched reproduce --device sim --profile results/mygpu\n"
              "  opsched reproduce schedules --graph 'models/*.onnx' --scheduler mine   add your own models\n"
              "A figure is a selection of records, listed in RESULTS/figures/index.json (opsched records FOLDER\n"
              "shows the records). Missing records are made. On a GPU, records from another driver, library or\n"
              "version of our kernels are measured again. After Ctrl-C, run the same command to continue.",
          .setup = setup_of(reproduce)};
}

}  // namespace opsched::cli
