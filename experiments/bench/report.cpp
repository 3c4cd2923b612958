// What a benchmark run prints: one line per case, and a table at the end.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "core/text_table.hpp"
#include "experiments/bench/session.hpp"

namespace opsched::bench {
namespace {

using records::Record;

std::string mark(const Record& record) { return std::string(record.provenance == Provenance::simulated ? "~" : ""); }

/// Latency and speed-up, or a dash.
std::pair<std::string, std::string> cells(const std::vector<Record>& results, const Case& what) {
  const Record* result = find_result(results, what);
  if (result == nullptr) return {"-", ""};
  const Record* baseline = find_result(results, records::baseline_of(what));
  return {mark(*result) + fixed(*result->value, 3) + (result->clocks.throttled ? "!" : ""),
          baseline == nullptr ? "" : fixed(*baseline->value / *result->value, 2) + "x"};
}

void print_one(std::ostream& out, const std::vector<Record>& results, const std::vector<Precision>& precisions,
               const std::vector<Case>& rows) {
  std::vector<std::string> head = {"network", "scheduler"};
  for (Precision p : precisions) head.insert(head.end(), {to_string(p), ""});
  TextTable table({Align::left, Align::left, Align::right}, head);
  std::string network;
  for (const Case& row : rows) {
    std::vector<std::string> line = {row.network == network ? "" : row.network, row.scheduler_name()};
    network = row.network;
    for (Precision p : precisions) {
      Case what = row;
      what.precision = p;
      const auto [ms, speedup] = cells(results, what);
      line.insert(line.end(), {ms, speedup});
    }
    table.add(line);
  }
  out << table.text();
}

/// The cases of one table, one per network and precision: networks in order of appearance, sequential first.
std::vector<Case> rows_of(const std::vector<Record>& results, int gpus, const ImageSize& image, int batch,
                          Precision precision) {
  std::vector<Case> rows;
  for (const Record& r : results) {
    Case row = r.what;
    row.precision = precision;
    const bool here = r.missing.empty() && row.gpus == gpus && row.image == image && row.batch == batch;
    if (here && std::ranges::find(rows, row) == rows.end()) rows.push_back(row);
  }
  std::ranges::stable_sort(rows, {}, [&](const Case& row) {
    const auto first = std::ranges::find(results, row.network, [](const Record& r) { return r.what.network; });
    return std::pair(first - results.begin(), row.scheduler != "sequential");
  });
  return rows;
}

}  // namespace

const Record* find_result(const std::vector<Record>& results, const Case& what) {
  const auto it = std::ranges::find(results, what, &Record::what);
  return it == results.end() || !it->missing.empty() ? nullptr : &*it;
}

void print_line(std::ostream& out, const Record& record, const Record* baseline) {
  char text[160];
  if (!record.missing.empty()) {
    std::snprintf(text, sizeof text, "%-58s cannot run", record.what.name().c_str());
    out << text << std::endl;
    return;
  }
  std::snprintf(text, sizeof text, "%-58s %10s ms", record.what.name().c_str(),
                (mark(record) + fixed(*record.value, 4)).c_str());
  out << text;
  if (record.spread) {
    std::snprintf(text, sizeof text, "  p99 +%.1f%%", 100 * (record.spread->p99 / *record.value - 1));
    if (record.spread->p99 > 0) out << text;
  }
  if (baseline != nullptr) out << "  " << fixed(*baseline->value / *record.value, 2) << "x";
  if (record.clocks.throttled) out << "  throttled";
  out << std::endl;
}

void print_table(std::ostream& out, const std::vector<Record>& results) {
  std::set<std::tuple<int, ImageSize, int>> groups;
  std::vector<Precision> precisions;
  std::map<std::string, std::vector<std::string>> skipped;  // keyed by reason
  bool throttled = false, simulated = false;
  for (const Record& r : results) {
    if (std::ranges::find(precisions, r.what.precision) == precisions.end()) precisions.push_back(r.what.precision);
    if (!r.missing.empty()) {
      skipped[r.missing].push_back(r.what.name());
      continue;
    }
    groups.emplace(r.what.gpus, r.what.image, r.what.batch);
    throttled = throttled || r.clocks.throttled;
    simulated = simulated || r.provenance == Provenance::simulated;
  }
  for (const auto& [gpus, image, batch] : groups) {
    out << "\n"
        << wrapped("Latency in ms, and speed-up over sequential on one GPU: " + counted(gpus, "GPU") + ", batch " +
                   std::to_string(batch) + ", " +
                   (image == 0 ? "the networks' own image sizes" : "image size " + to_string(image)))
        << "\n";
    print_one(out, results, precisions, rows_of(results, gpus, image, batch, precisions.front()));
  }
  if (simulated) out << "~ simulated: this schedule was never run; other latencies were measured\n";
  if (throttled) out << "! the GPU lowered its clocks during the measurement\n";
  for (const auto& [reason, names] : skipped) {
    out << "\n" << wrapped("skipped, " + reason + ":") << "\n";
    for (const std::string& name : names) out << "  " << name << "\n";
  }
}

}  // namespace opsched::bench
