// Figures of the simulation studies, HIOS's and ours (experiments/studies/simulation_study.hpp).
#include "experiments/figures/figure.hpp"
#include "experiments/studies/simulation_study.hpp"

namespace opsched::figures {
namespace {

const std::string kFolder = "simulation";  ///< next to the device's results

void make(FigureContext& context, const SimulationStudy& study) {
  records::RecordFile file(context.path(kFolder), {.command = "opsched simulate " + study.name});
  SimulationOptions options;
  options.progress = [&](const std::string& text) { context.report(text); };
  run_simulation(study, options, file);  // existing points are kept
  file.finish();
  context.forget(kFolder);
}

std::vector<Item> items_of(const SimulationStudy& study) {
  Item item{.name = "simulation " + study.name, .keys = {}, .folder = kFolder, .seconds = 60};
  for (const SimulationStudy::Point& point : study.points)
    for (const std::string& algorithm : study.lines())
      item.keys.push_back(simulation_record(study, point, algorithm).key());
  item.make = [&study](FigureContext& context) { make(context, study); };
  return {std::move(item)};
}

}  // namespace

std::vector<Figure> simulation_figures() {
  std::vector<Figure> figures;
  for (const SimulationStudy& study : simulation_studies())
    figures.push_back({.name = "sim_" + study.name,
                       .title = "Simulated: " + study.title,
                       .paper = study.of_hios ? "HIOS: simulations, " + study.parameter : "",
                       .items = [&study](const FigureSettings&) { return items_of(study); }});
  return figures;
}

}  // namespace opsched::figures
