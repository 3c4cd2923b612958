// opsched reproduce: the figures of the papers, from one command.
#include <chrono>
#include <iostream>
#include <memory>

#include "core/error.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/command_line.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/figures/draw.hpp"
#include "experiments/figures/reproduce.hpp"

namespace opsched::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ReproduceOptions {
  std::vector<std::string> names;
  DeviceOptions device;
  MeasureOptions measure{.max_seconds = 1};
  std::string cache = user_cache_folder();
  bool list = false, fresh = false, no_cache = false, no_pictures = false;
};

/// The folder of the device's results: where its profile is.
std::string results_folder(const ReproduceOptions& options, const Device& device) {
  if (!options.device.profile.empty()) return options.device.profile;
  return device.measures() ? "results/" + device.name() : default_recorded_folder();
}

void print_list(const std::string& results) {
  TextTable table({Align::left});
  table.add({"figure", "shows", "state", "why"});
  table.add_rule();
  for (const figures::Standing& figure : figures::standings(results))
    table.add({figure.name, figure.title, figure.state.word, figure.state.why});
  std::cout << "figures in " << figures::figures_folder(results) << "\n";
  table.print(std::cout);
}

/// "[3/40, about 2 min left] inception_v3/...".
std::string status_text(const figures::Work& work, Clock::time_point begin, const std::string& text) {
  std::string left;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (work.expected_seconds_done > 0)
    left = ", about " + human_seconds(seconds * (work.expected_seconds / work.expected_seconds_done - 1)) + " left";
  return "[" + std::to_string(work.done) + "/" + std::to_string(work.items) + left + "] " + text;
}

void draw(const ReproduceOptions& options, const std::string& results, const std::vector<figures::Figure>& chosen) {
  std::vector<std::string> names;
  names.reserve(chosen.size());
  for (const figures::Figure& figure : chosen) names.push_back(figure.name);
  try {
    figures::draw(figures::figures_folder(results), names, !options.no_pictures);
  } catch (const Error&) {
    check_interrupt();  // Ctrl-C ends the drawing, too
    throw;
  }
}

void reproduce(ReproduceOptions& options) {
  const std::vector<figures::Figure> chosen = figures::chosen_figures(options.names);
  StatusLine status;
  figures::Work work;
  const Clock::time_point begin = Clock::now();
  const Report report = [&](const std::string& text) {
    check_interrupt();
    status.show(status_text(work, begin, text));
  };
  options.device.report = report;
  const std::unique_ptr<Device> device = open_device(options.device);
  const std::string results = results_folder(options, *device);
  if (options.list) return print_list(results);

  std::cout << device->heading() << std::endl;
  const std::unique_ptr<records::RecordFile> file =
      RecordOptions{.out = results, .fresh = options.fresh}.open(device->run(command_line()));
  const bool kept = !options.no_cache && !options.cache.empty();
  const bench::ScheduleStore store(kept ? options.cache + "/schedules" : "",
                                   [](const std::string& text) { std::cerr << "\nopsched: " + text + "\n"; });
  figures::FigureContext context(*device, store, options.measure,
                                 {.results = results,
                                  .measures = device->measures(),
                                  .fresh = options.fresh,
                                  .gpus = options.device.gpus,
                                  .precision = Precision::fp32},
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
  return {
      .name = "reproduce",
      .summary = "The figures of the IOS and HIOS papers: data, pictures, and pages beside the papers' numbers",
      .examples =
          "  opsched reproduce                        every figure: on a GPU measured, else drawn from what is\n"
          "                                           recorded, or replayed where nothing is\n"
          "  opsched reproduce --list                 the figures, and where each stands\n"
          "  opsched reproduce batches pruning        two of them\n"
          "  opsched reproduce --device sim --profile results/mygpu\n"
          "A figure is a selection of the folder's records (opsched records FOLDER shows them): RESULTS/figures/\n"
          "index.json says of which. What is missing is made and becomes a record like any other; on a GPU what\n"
          "another driver, library or version of our kernels measured is measured again. Ctrl-C is safe.",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<ReproduceOptions>();
        app.add_option("FIGURE", options->names, "Figures by name, or all (default: all)");
        app.add_flag("--list", options->list, "Only show the figures, and where each stands");
        app.add_option("--device", options->device.kind, "gpu, sim (replay a profile) or auto")->capture_default_str();
        app.add_option("--profile", options->device.profile,
                       "Folder of results: of the profile to replay, or to measure into (default: results/DEVICE)");
        app.add_option("--gpus", options->device.gpus, "GPUs that may be used")
            ->check(CLI::Range(1, 64))
            ->capture_default_str();
        app.add_flag("--fresh", options->fresh, "Make every record anew (replays never replace measurements)");
        app.add_option("--cache", options->cache, "Folder where schedules are kept")->capture_default_str();
        app.add_flag("--no-cache", options->no_cache, "Find every schedule anew");
        app.add_option("--max-seconds", options->measure.max_seconds, "Longest time to measure one schedule")
            ->capture_default_str();
        app.add_flag("--no-pictures", options->no_pictures, "Only data and pages: needs no matplotlib");
        return [options] { reproduce(*options); };
      }};
}

}  // namespace opsched::cli
