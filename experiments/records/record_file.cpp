#include "experiments/records/record_file.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/schedule/schedule_text.hpp"

namespace opsched::records {
namespace {

bool is_measured(const Record& record) { return record.provenance == Provenance::measured && record.missing.empty(); }

/// Whether both have the same content, apart from run and time.
bool same_content(Record a, const Record& b) {
  a.run = b.run;
  a.time = b.time;
  return a == b;
}

/// The path of the folder's file. Throws Error if the file is not a records file. This is checked before the file is
/// touched, because opening a journal cuts off an unfinished last line.
std::string own_file(const std::string& folder) {
  std::string file = records_file(folder), line;
  std::ifstream in(file, std::ios::binary);
  if (std::getline(in, line) && !first_line().starts_with(line)) try {
      check_first_line(line);
    } catch (const Error& e) {
      throw Error("'" + file + "' " + e.what());
    }
  return file;
}

void require_device(const Records& records, const std::string& file, const std::string& device) {
  if (device.empty()) return;
  for (const Record* record : records.standing()) {
    const std::string& there = records.run_of(*record).device;
    if (record->what.software == "opsched" && is_measured(*record) && !there.empty() && there != device)
      throw Error("'" + file + "' has measurements from " + there + ", but this device is " + device +
                  "; use another folder");
  }
}

}  // namespace

RecordFile::RecordFile(const std::string& folder, Run run, Start start)
    : folder_(folder), file_(own_file(folder)), run_(std::move(run)) {
  records_ = Records::read(folder);
  require_device(records_, file_.path(), run_.device);
  if (start == Start::continued)
    for (const auto& [id, old] : records_.runs())
      if (old.same_work(run_) && !records_.ended(id) && (!begun_ || old.begin > run_.begin)) {
        run_ = old;
        begun_ = true;
      }
  if (begun_) resumed_ = static_cast<int>(std::ranges::count(records_.all(), run_.id, &Record::run));
}

const Record* RecordFile::made(const std::string& key) const {
  const Record* record = records_.find(key);
  return record != nullptr && begun_ && record->run == run_.id && record->missing.empty() ? record : nullptr;
}

int RecordFile::of_other_versions() const {
  return static_cast<int>(std::ranges::count_if(records_.standing(), [&](const Record* record) {
    return record->what.software == "opsched" && is_measured(*record) && !records_.run_of(*record).same_versions(run_);
  }));
}

template <class What>
void RecordFile::append(What what) {
  if (file_.empty()) file_.append(first_line());
  file_.append(to_line(what));
  records_.add(std::move(what));
}

void RecordFile::begin() {
  if (std::exchange(begun_, true)) return;
  run_.begin = utc_now();
  run_.id.clear();
  do run_.id = hex_digits(fnv1a(run_.id, fnv1a(to_line(run_))));
  while (records_.runs().contains(run_.id));
  append(run_);
}

bool RecordFile::add(Record record) {
  if (!records_.would_stand(record)) return false;
  const Record* old = records_.find(record.key());
  if (old != nullptr && !is_measured(record) && same_content(record, *old)) return false;
  begin();
  record.run = run_.id;
  if (record.time.empty()) record.time = utc_now();
  append(std::move(record));
  return true;
}

void RecordFile::keep_parts(const Record& record, const ScheduleLine* schedule, const KernelChoices* kernels) {
  if (schedule != nullptr && records_.schedule(record.schedule) == nullptr) append(*schedule);
  if (kernels != nullptr && records_.kernels(record.kernels) == nullptr)
    append(KernelsLine{.id = record.kernels, .choices = *kernels});
}

bool RecordFile::add(Record record, const Schedule& schedule, const KernelChoices& kernels) {
  if (!records_.would_stand(record)) return false;
  record.kernels = kernels.empty() ? "" : id_of(kernels);
  const ScheduleLine line{.schedule = record.schedule, .graph = record.graph, .text = to_text(schedule)};
  keep_parts(record, record.schedule.empty() ? nullptr : &line, kernels.empty() ? nullptr : &kernels);
  return add(std::move(record));
}

bool RecordFile::add(Record record, const Records& from) {
  if (!records_.would_stand(record)) return false;
  keep_parts(record, from.schedule(record.schedule), from.kernels(record.kernels));
  return add(std::move(record));
}

void RecordFile::finish() {
  if (begun_ && !records_.ended(run_.id)) append(EndLine{.run = run_.id});
}

}  // namespace opsched::records
