// opsched reproduce: the figures of the papers, from one command.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "core/error.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/text_table.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/figures/draw.hpp"
#include "experiments/figures/reproduce.hpp"

namespace opsched::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ReproduceOptions {
  figures::ReproduceOptions figures;
  DeviceOptions device;
  MeasureOptions measure{.max_seconds = 1};
  std::string cache = user_cache_folder();
  bool list = false, no_cache = false, no_pictures = false;
};

std::string command_of(const ReproduceOptions& options) {
  std::string command = "opsched reproduce";
  for (const std::string& name : options.figures.names) command += " " + name;
  if (options.device.kind != "auto") command += " --device " + options.device.kind;
  if (!options.device.profile.empty()) command += " --profile " + options.device.profile;
  if (options.device.gpus > 1) command += " --gpus " + std::to_string(options.device.gpus);
  return command;
}

/// The folder of the device's results: where its profile is.
std::string results_folder(const ReproduceOptions& options, const Device& device) {
  if (!options.device.profile.empty()) return options.device.profile;
  return device.measures() ? "results/" + device.name() : default_recorded_folder();
}

void print_list(const std::string& folder) {
  TextTable table({Align::left});
  table.add({"figure", "shows", "state", "why"});
  table.add_rule();
  for (const figures::Standing& figure : figures::standings(folder))
    table.add({figure.name, figure.title, figure.state.word, figure.state.why});
  std::cout << "figures in " << folder << "\n";
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

void reproduce(ReproduceOptions& options) {
  const std::vector<figures::Figure> chosen = figures::chosen_figures(options.figures.names);
  StatusLine status;
  figures::Work work;
  const Clock::time_point begin = Clock::now();
  bool told = false;
  const Report report = [&](const std::string& text) {
    check_interrupt();
    if (work.resumed > 0 && !std::exchange(told, true))
      std::cerr << "opsched: going on with an interrupted run: " << work.resumed << " items kept in "
                << options.figures.out << " (--fresh begins anew)\n";
    status.show(status_text(work, begin, text));
  };
  options.device.report = report;
  const std::unique_ptr<Device> device = open_device(options.device);
  const std::string results = results_folder(options, *device);
  std::string& out = options.figures.out;
  if (out.empty()) out = (std::filesystem::path(results) / "figures").string();
  if (options.list) return print_list(out);

  std::cout << device->describe() << std::endl;
  options.figures.command = command_of(options);
  const bool kept = !options.no_cache && !options.cache.empty();
  const bench::ScheduleStore store(kept ? options.cache + "/schedules" : "");
  figures::Lab lab(*device, store, options.measure,
                   {.results = results,
                    .measures = device->measures(),
                    .fresh = options.figures.fresh,
                    .gpus = options.device.gpus,
                    .precision = Precision::fp32},
                   report);
  figures::gather(lab, options.figures, chosen, work);
  figures::write_index(out);
  status.clear();
  std::vector<std::string> names;
  names.reserve(chosen.size());
  for (const figures::Figure& figure : chosen) names.push_back(figure.name);
  try {
    figures::draw(out, names, !options.no_pictures);
  } catch (const Error&) {
    check_interrupt();  // Ctrl-C ends the drawing, too
    throw;
  }
  print_list(out);
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
          "An interrupted run goes on where it stopped; measured rows are kept until --fresh.",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<ReproduceOptions>();
        app.add_option("FIGURE", options->figures.names, "Figures by name, or all (default: all)");
        app.add_flag("--list", options->list, "Only show the figures, and where each stands");
        app.add_option("--device", options->device.kind, "gpu, sim (replay a profile) or auto")->capture_default_str();
        app.add_option("--profile", options->device.profile,
                       "Folder of results: of the profile to replay, or to measure into (default: results/DEVICE)");
        app.add_option("--gpus", options->device.gpus, "GPUs that may be used")
            ->check(CLI::Range(1, 64))
            ->capture_default_str();
        app.add_option("--out", options->figures.out, "Folder of the figures (default: figures/ in that of results)");
        app.add_flag("--fresh", options->figures.fresh, "Gather every row anew");
        app.add_option("--cache", options->cache, "Folder where schedules are kept")->capture_default_str();
        app.add_flag("--no-cache", options->no_cache, "Find every schedule anew");
        app.add_option("--max-seconds", options->measure.max_seconds, "Longest time to measure one schedule")
            ->capture_default_str();
        app.add_flag("--no-pictures", options->no_pictures, "Only data and pages: needs no matplotlib");
        return [options] { reproduce(*options); };
      }};
}

}  // namespace opsched::cli
