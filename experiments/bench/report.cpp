#include "experiments/bench/report.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "experiments/console/text_table.hpp"

namespace opsched::bench {

using cli::Align;
using cli::fixed;
using cli::TextTable;

ConsoleReporter::ConsoleReporter(std::string first_line, std::function<bool()> stopped, std::function<void()> before,
                                 bool color)
    : Renaming(std::move(stopped), color ? OO_ColorTabular : OO_Tabular),
      first_line_(std::move(first_line)),
      before_(std::move(before)) {}

bool ConsoleReporter::ReportContext(const Context& context) {
  name_field_width_ = context.name_field_width;
  printed_header_ = false;
  prev_counters_.clear();
  before_();
  GetOutputStream() << first_line_ << std::endl;
  return true;
}

void ConsoleReporter::ReportRuns(const std::vector<Run>& runs) {
  before_();
  Renaming::ReportRuns(runs);
  GetOutputStream().flush();
}

Case baseline_of(const Case& what) {
  Case baseline = what;
  baseline.scheduler = "sequential";
  baseline.gpus = 1;
  return baseline;
}

namespace {

const Result* find(const std::vector<Result>& results, const Case& what) {
  const auto it = std::ranges::find(results, what, &Result::what);
  return it == results.end() || !it->skipped.empty() ? nullptr : &*it;
}

/// Latency and speed-up, or a dash.
std::pair<std::string, std::string> cells(const std::vector<Result>& results, const Case& what) {
  const Result* result = find(results, what);
  if (result == nullptr) return {"-", ""};
  const Result* baseline = find(results, baseline_of(what));
  return {fixed(result->ms, 3) + (result->throttled ? "!" : ""),
          baseline == nullptr ? "" : fixed(baseline->ms / result->ms, 2) + "x"};
}

void print_one(std::ostream& out, const std::vector<Result>& results, const std::vector<Precision>& precisions,
               const std::vector<Case>& rows) {
  TextTable table({Align::left, Align::left, Align::right});
  std::vector<std::string> head = {"network", "scheduler"};
  for (Precision p : precisions) head.insert(head.end(), {to_string(p), ""});
  table.add(head);
  table.add_rule();
  std::string network;
  for (const Case& row : rows) {
    std::vector<std::string> line = {row.network == network ? "" : row.network, row.scheduler};
    network = row.network;
    for (Precision p : precisions) {
      Case what = row;
      what.precision = p;
      const auto [ms, speedup] = cells(results, what);
      line.insert(line.end(), {ms, speedup});
    }
    table.add(line);
  }
  table.print(out);
}

}  // namespace

void print_table(std::ostream& out, const std::vector<Result>& results) {
  std::set<std::tuple<int, int, int>> groups;
  std::vector<Precision> precisions;
  std::map<std::string, std::vector<std::string>> skipped;  // by reason
  bool throttled = false;
  for (const Result& r : results) {
    if (std::ranges::find(precisions, r.what.precision) == precisions.end()) precisions.push_back(r.what.precision);
    if (!r.skipped.empty()) {
      skipped[r.skipped].push_back(r.what.name());
      continue;
    }
    groups.emplace(r.what.gpus, r.what.image, r.what.batch);
    throttled = throttled || r.throttled;
  }
  for (const auto& [gpus, image, batch] : groups) {
    std::vector<Case> rows;
    for (const Result& r : results) {
      Case row = r.what;
      row.precision = precisions.front();
      const bool here = row.gpus == gpus && row.image == image && row.batch == batch;
      if (here && std::ranges::find(rows, row) == rows.end()) rows.push_back(row);
    }
    std::ranges::stable_sort(rows, {}, [&](const Case& row) {  // networks as they came, sequential on top
      const auto first = std::ranges::find(results, row.network, [](const Result& r) { return r.what.network; });
      return std::pair(first - results.begin(), row.scheduler != "sequential");
    });
    out << "\nLatency in ms, and speed-up over sequential on one GPU: batch " << batch << ", "
        << (image == 0 ? "the networks' own image sizes" : "image size " + std::to_string(image)) << ", " << gpus
        << (gpus == 1 ? " GPU" : " GPUs") << "\n";
    print_one(out, results, precisions, rows);
  }
  if (throttled) out << "! the GPU lowered its clocks while this was measured\n";
  for (const auto& [reason, names] : skipped) {
    out << "\nskipped, " << reason << ":\n";
    for (const std::string& name : names) out << "  " << name << "\n";
  }
}

void print_settled(std::ostream& out, const Settled& settled, int checked) {
  std::map<std::string, std::pair<double, double>> changes;  // of several rounds the first and the last latency
  for (const Replaced& replaced : settled.replaced)
    changes.try_emplace(replaced.now.what.name(), replaced.old.ms, 0).first->second.second = replaced.now.ms;
  if (!changes.empty())
    out << "opsched: settled: on the finished profile " << changes.size() << " of " << checked
        << " searches found another schedule, which was measured, ms:\n";
  for (const auto& [name, ms] : changes)
    out << "  " << name << ": " << fixed(ms.first, 4) << " -> " << fixed(ms.second, 4) << "\n";
  out << "opsched: a replay finds " << checked - static_cast<int>(settled.open.size()) << " of " << checked
      << " schedules again\n";
  for (const auto& [name, why] : settled.open) out << "  not " << name << ": " << why << "\n";
}

}  // namespace opsched::bench
