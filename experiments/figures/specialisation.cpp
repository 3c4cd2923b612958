// IOS, figure "specialisation": schedules found for one batch or device, run at another.
#include <algorithm>
#include <filesystem>

#include "experiments/device/folders.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;

constexpr int kBatches[] = {1, 32, 128};

bench::Case ios_at(int batch, Precision precision) {
  return {.network = "inception_v3", .scheduler = "ios-both", .batch = batch, .precision = precision};
}

/// The schedule found for one batch, run at another.
Item across_batches(int from, int at, Precision precision) {
  const bench::Case origin = ios_at(from, precision), what = ios_at(at, precision);
  return {.key = what.name() + "/optimised_for:" + std::to_string(from),
          .what = what,
          .seconds = 1,
          .gather = [origin, what](Lab& lab) {
            const bench::Found found = lab.runner().find(origin);
            Row row = lab.row(lab.runner().time(what, found));
            row.labels["optimised_for"] = std::to_string(origin.batch);
            return std::vector<Row>{row};
          }};
}

/// The schedule found on another device's profile, run here.
Item across_devices(const std::string& folder, Precision precision) {
  const bench::Case what = ios_at(1, precision);
  const std::string device = fs::path(folder).filename().string();
  return {.key = what.name() + "/optimised_on:" + device, .what = what, .seconds = 2, .gather = [=](Lab& lab) {
            const std::unique_ptr<Device> other = open_recorded({.kind = "sim", .profile = folder, .report = {}});
            const bench::ScheduleStore none("");
            bench::Runner runner(*other, none, {}, [&](const std::string& text) { lab.report(text); });
            Row row = lab.row(lab.runner().time(what, runner.find(what)));
            row.labels["optimised_on"] = device;
            return std::vector<Row>{row};
          }};
}

/// Folders of profiles that were recorded on other devices than this one.
std::vector<std::string> other_devices(const Place& place) {
  std::vector<std::string> others;
  std::vector<std::string> own;
  for (const auto& [gpus, folder] : sibling_folders(place)) own.push_back(fs::path(folder).filename().string());
  for (const std::string& folder : recorded_folders())
    if (std::ranges::find(own, fs::path(folder).filename().string()) == own.end() &&
        has_profile(folder, place.precision))
      others.push_back(folder);
  return others;
}

}  // namespace

Figure specialisation_figure() {
  return {.name = "specialisation",
          .title = "Inception V3: schedules optimised for one batch or device, run at another",
          .paper = "IOS: specialisation",
          .items = [](const Place& place) {
            std::vector<Item> items;
            for (int from : kBatches)
              for (int at : kBatches)
                items.push_back(from == at ? latency_item(ios_at(at, place.precision))
                                           : across_batches(from, at, place.precision));
            for (const std::string& folder : other_devices(place))
              items.push_back(across_devices(folder, place.precision));
            return items;
          }};
}

}  // namespace opsched::figures
