// IOS, figure "specialisation": schedules optimised for one batch size or device, run on another.
#include <algorithm>
#include <filesystem>

#include "experiments/device/folders.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;

constexpr int kBatches[] = {1, 32, 128};

records::Case ios_at(int batch, Precision precision) {
  return {.network = "inception_v3", .scheduler = "ios-both", .batch = batch, .precision = precision};
}

/// A schedule found elsewhere, run in the given case.
Item item(const records::Case& what, const std::string& label, const std::string& text, double seconds,
          const std::function<bench::Found(FigureContext&)>& find) {
  const records::Record wanted{.what = what, .labels = {{label, text}}};
  return {.name = wanted.key(), .keys = {wanted.key()}, .seconds = seconds, .make = [=](FigureContext& context) {
            bench::Timed timed = context.runner().time(what, find(context));
            timed.record.labels = wanted.labels;
            context.add(std::move(timed));
          }};
}

/// The schedule found for one batch size, run at another.
Item across_batches(int from, int at, Precision precision) {
  const records::Case origin = ios_at(from, precision);
  return item(ios_at(at, precision), "optimised_for", std::to_string(from), 1,
              [=](FigureContext& context) { return context.schedule(origin); });
}

/// The schedule found on another device's profile, run on this device.
Item across_devices(const std::string& folder, Precision precision) {
  const records::Case what = ios_at(1, precision);
  return item(what, "optimised_on", fs::path(folder).filename().string(), 2, [=](FigureContext& context) {
    const std::unique_ptr<Device> other = open_recorded({.kind = "sim", .profile = folder});
    const bench::ScheduleStore none("");
    bench::Runner runner(*other, none, {}, [&](const std::string& text) { context.report(text); });
    return runner.find(what);
  });
}

/// Folders with profiles of other types of device.
std::vector<std::string> other_devices(const FigureSettings& settings) {
  std::vector<std::string> own, others;
  for (const auto& [gpus, folder] : sibling_folders(settings)) own.push_back(folder);
  for (const std::string& folder : recorded_folders())
    if (std::ranges::find(own, fs::path(folder).filename().string()) == own.end() &&
        has_profile(folder, settings.precision) &&
        open_recorded({.kind = "sim", .profile = folder})->facts().name != settings.device)
      others.push_back(folder);
  return others;
}

}  // namespace

Figure specialisation_figure() {
  return {.name = "specialisation",
          .title = "Inception V3: schedules optimised for one batch or device, run at another",
          .paper = "IOS: specialisation",
          .items = [](const FigureSettings& settings) {
            std::vector<Item> items;
            for (int from : kBatches)
              for (int at : kBatches)
                items.push_back(from == at ? latency_item(ios_at(at, settings.precision))
                                           : across_batches(from, at, settings.precision));
            for (const std::string& folder : other_devices(settings))
              items.push_back(across_devices(folder, settings.precision));
            return items;
          }};
}

}  // namespace opsched::figures
