// opsched fit: how well the simulator predicts what was measured.
#include <array>
#include <iostream>
#include <map>
#include <memory>

#include "core/error.hpp"
#include "core/runtime/sim/calibrate.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/cli/interrupt.hpp"
#include "experiments/device/folders.hpp"
#include "networks/network.hpp"

namespace opsched::cli {
namespace {

struct FitOptions {
  std::string folder, precision;
  bool save = false;
};

/// The graph of a benchmark's name (bench/cases.hpp); nullptr where it names no network.
std::shared_ptr<const Graph> graph_of(const std::string& label) {
  const std::vector<std::string> words = CLI::detail::split(label, '/');
  NetworkOptions options;
  for (const std::string& word : words) {
    if (word.starts_with("batch:")) CLI::detail::lexical_cast(word.substr(6), options.batch);
    if (word.starts_with("image:")) CLI::detail::lexical_cast(word.substr(6), options.image);
  }
  const auto named = [&](const NetworkInfo& info) { return info.name == words.front(); };
  if (std::ranges::none_of(networks(), named)) return nullptr;
  return std::make_shared<const Graph>(make_network(words.front(), options));
}

void fit(const FitOptions& options) {
  std::string folder = options.folder;
  if (folder.empty()) {
    const std::vector<std::string> known = recorded_folders();
    if (known.empty()) throw Error("no folder of results/ holds a profile; give one with --profile FOLDER");
    folder = known.front();
  }
  if (!has_profile(folder)) throw Error("'" + folder + "' holds no profile");
  std::vector<Precision> precisions;
  if (!options.precision.empty())
    precisions.push_back(parse_precision(options.precision));
  else
    for (Precision precision : {Precision::fp32, Precision::tf32, Precision::fp16})
      if (has_profile(folder, precision)) precisions.push_back(precision);
  for (Precision precision : precisions) {
    const std::string file = profile_file(folder, precision);
    Profile profile = Profile::load(file);
    if (options.save) profile = Profile::open(file, profile.device(), precision);  // nobody else writes it meanwhile
    std::map<std::string, std::shared_ptr<const Graph>> graphs;                    // a graph for each network and batch
    const auto cases = recorded_cases(profile, [&](const std::string& label) {
      check_interrupt();
      std::shared_ptr<const Graph> graph = graph_of(label);
      return graph ? graphs.try_emplace(fingerprint(*graph), graph).first->second : nullptr;
    });
    std::cout << file << ": " << profile.stages().size() << " stages, " << profile.schedules().size()
              << " schedules of " << profile.device().name << "\n"
              << fit_profile(profile, cases) << std::flush;
    if (options.save) profile.save(file);
  }
}

}  // namespace

Command fit_command() {
  return {.name = "fit",
          .summary = "How well the simulator predicts the stages and schedules that were measured",
          .examples =
              "  opsched fit                            the recorded results\n"
              "  opsched fit --profile results/mygpu --save  keep the calibration, for replays",
          .setup = [](CLI::App& app) -> std::function<void()> {
            auto options = std::make_shared<FitOptions>();
            app.add_option("--profile", options->folder, "Folder of the profiles (default: the first of results/)");
            app.add_option("--precision", options->precision, "fp32, tf32 or fp16 (default: all)");
            app.add_flag("--save", options->save, "Store the calibration in the profiles");
            return [options] { fit(*options); };
          }};
}

}  // namespace opsched::cli
