#include "experiments/records/records.hpp"

#include <filesystem>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched::records {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;

}  // namespace

std::string records_file(const std::string& folder) {
  return (std::filesystem::path(folder) / "records.jsonl").string();
}

Records Records::read(const std::string& folder) {
  const std::string file = records_file(folder);
  Records records;
  if (!std::filesystem::exists(file)) return records;
  const std::string text = read_file(file, kMostBytes);
  if (text.empty()) return records;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  try {
    check_first_line(line);
  } catch (const Error& e) {
    throw Error("'" + file + "' " + e.what());
  }
  for (int number = 2; std::getline(lines, line); ++number) try {
      std::visit([&](auto&& what) { records.add(std::forward<decltype(what)>(what)); }, read_line(line));
    } catch (const Error& e) {
      records.warnings_.push_back(
          file + ":" + std::to_string(number) +
          (lines.eof() ? ": incomplete line, skipped" : ": left out: " + std::string(e.what())));
    }
  return records;
}

std::vector<const Record*> Records::standing() const {
  std::vector<const Record*> list;
  list.reserve(keys_.size());
  for (const std::string& key : keys_) list.push_back(&all_[stands_.at(key)]);
  return list;
}

const Record* Records::find(const std::string& key) const {
  const auto it = stands_.find(key);
  return it == stands_.end() ? nullptr : &all_[it->second];
}

const Run& Records::run_of(const Record& record) const {
  static const Run unknown;
  const auto it = runs_.find(record.run);
  return it == runs_.end() ? unknown : it->second;
}

const ScheduleLine* Records::schedule(const std::string& fingerprint) const {
  const auto it = schedules_.find(fingerprint);
  return it == schedules_.end() ? nullptr : &it->second;
}

const KernelChoices* Records::kernels(const std::string& id) const {
  const auto it = kernels_.find(id);
  return it == kernels_.end() ? nullptr : &it->second;
}

bool Records::ended(const std::string& run) const { return ended_.contains(run); }

bool Records::would_stand(const Record& now) const {
  const Record* old = find(now.key());
  if (old == nullptr || !old->missing.empty() || now.replaces) return true;
  return now.missing.empty() && may_replace(now.provenance, old->provenance);
}

void Records::add(Record record) {
  const std::string key = record.key();
  const bool stands = would_stand(record);
  all_.push_back(std::move(record));
  if (!stands_.contains(key)) keys_.push_back(key);
  if (stands) stands_.insert_or_assign(key, all_.size() - 1);
}

void Records::add(Run run) { runs_.insert_or_assign(run.id, run); }

void Records::add(ScheduleLine schedule) { schedules_.insert_or_assign(schedule.schedule, schedule); }

void Records::add(KernelsLine kernels) { kernels_.insert_or_assign(kernels.id, std::move(kernels.choices)); }

void Records::add(EndLine end) { ended_.insert_or_assign(end.run, true); }

bool comparable(const Run& a, const Run& b) {
  if (a.device.empty() || b.device.empty()) return true;
  return a.device == b.device && (a.kernels.empty() || b.kernels.empty() || a.kernels == b.kernels);
}

}  // namespace opsched::records
