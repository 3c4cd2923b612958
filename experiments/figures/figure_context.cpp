// What figures are made from.
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/cost/signature/signature.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

namespace fs = std::filesystem;
using records::Record;

/// "h200-x4" -> {"h200", 4}; a name without a number: 1.
std::pair<std::string, int> split_name(const std::string& name) {
  const std::size_t at = name.rfind("-x");
  if (at == std::string::npos) return {name, 1};
  int gpus = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + at + 2, end, gpus);
  return error == std::errc{} && stop == end && gpus > 0 ? std::pair{name.substr(0, at), gpus} : std::pair{name, 1};
}

fs::path absolute_folder(const FigureSettings& settings) {
  const fs::path folder = fs::absolute(settings.results).lexically_normal();
  return folder.has_filename() ? folder : folder.parent_path();  // without the slash at the end
}

}  // namespace

std::vector<std::pair<int, std::string>> sibling_folders(const FigureSettings& settings) {
  const fs::path own = absolute_folder(settings);
  const std::string base = split_name(own.filename().string()).first;
  std::vector<std::pair<int, std::string>> folders;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(own.parent_path(), none)) {
    const std::string folder = entry.path().filename().string();
    const auto [name, gpus] = split_name(folder);
    if (name == base && entry.is_directory()) folders.emplace_back(gpus, folder);
  }
  std::ranges::sort(folders);
  return folders;
}

std::pair<int, std::string> own_folder(const FigureSettings& settings) {
  const std::string name = absolute_folder(settings).filename().string();
  return {split_name(name).second, name};
}

FigureContext::FigureContext(Device& device, const bench::ScheduleStore& store, MeasureOptions options,
                             FigureSettings settings, records::RecordFile& file, Report report)
    : device_(device),
      settings_(std::move(settings)),
      file_(file),
      report_(std::move(report)),
      runner_(device, store, options, report_) {}

std::string FigureContext::path(const std::string& folder) const {
  return folder.empty() ? settings_.results : (absolute_folder(settings_).parent_path() / folder).string();
}

const records::Records& FigureContext::records(const std::string& folder) {
  if (folder.empty()) return file_.records();
  const auto known = siblings_.find(folder);
  if (known != siblings_.end()) return known->second;
  return siblings_.emplace(folder, records::Records::read(path(folder))).first->second;
}

bool FigureContext::stands(const Record& record) const {
  if (record.what.software != "opsched") return true;
  const records::Run &run = file_.records().run_of(record), &now = file_.run();
  const bool measured = record.provenance == Provenance::measured;
  if (settings_.fresh && !(measured && !settings_.measures)) return record.run == now.id;
  if (record.provenance == Provenance::exact || record.provenance == Provenance::synthetic) return true;
  if (!settings_.measurable(record.what)) return true;
  return measured && run.note == now.note && run.device == now.device && run.same_versions(now);
}

bench::Found FigureContext::schedule(const records::Case& what) {
  const Record* record = file_.records().find(what);
  if (record != nullptr && record->missing.empty() && stands(*record) &&
      record->graph == fingerprint(runner_.costs(what).graph()))
    if (const records::ScheduleLine* line = file_.records().schedule(record->schedule)) {
      bench::Found found{.schedule = schedule_from_text(line->text)};
      found.schedule.graph = runner_.costs(what).graph().name();
      found.schedule.scheduler = what.scheduler;
      return found;
    }
  return runner_.find(what);
}

void FigureContext::add(bench::Timed timed) {
  if (timed.record.provenance != Provenance::measured) timed.record.numbers.erase("search_seconds");
  file_.add(std::move(timed.record), timed.schedule, timed.kernels);
}

}  // namespace opsched::figures
