// opsched records: shows where a number comes from, with its schedule and kernels.
#include <filesystem>
#include <map>

#include "core/cost/signature/signature.hpp"
#include "core/names.hpp"
#include "core/schedule/schedule_text.hpp"
#include "experiments/bench/cases.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/records/records.hpp"

namespace opsched::cli {
namespace {

using records::Record;
using records::Records;
using records::Run;

struct RecordsOptions {
  std::string folder;
  std::vector<std::string> words;
  bool schedule = false, kernels = false, history = false;

  void add_to(CLI::App& app) {
    app.add_option("FOLDER", folder, "A results folder")->required();
    app.add_option("WORD", words, "A key, or parts of keys: shows the records that contain all of them");
    app.add_flag("--schedule", schedule, "Show the schedules: stages, groups, operators");
    app.add_flag("--kernels", kernels, "Show the kernel of each problem");
    app.add_flag("--history", history, "Also show older and weaker records of the same keys");
  }
};

using Counts = std::map<std::string, int>;

void print_counts(const std::string& title, const Counts& counts) {
  std::cout << "\n";
  TextTable table({Align::left, Align::right}, {title, "records"});
  for (const auto& [name, count] : counts) table.add({name.empty() ? "-" : name, std::to_string(count)});
  std::cout << table.text();
}

/// At most this many bytes, cut between characters; "..." marks a cut.
std::string shortened(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // inside a character
  return text.substr(0, end) + "...";
}

void print_runs(const Records& records, Counts& counts) {
  constexpr std::size_t kCommandWidth = 68;  // so that a row fits 100 columns; `records KEY` shows the whole command
  TextTable table({Align::left, Align::right, Align::left}, {"run of", "records", " command"});
  for (const auto& [id, run] : records.runs()) {
    const std::string end = records.ended(id) ? "" : "; was interrupted";
    const std::string command = run.command + (run.note.empty() ? "" : "; " + run.note);
    table.add({run.begin, std::to_string(counts[id]), " " + shortened(command, kCommandWidth - end.size()) + end});
  }
  std::cout << table.text();
}

void print_summary(const Records& records, const std::string& folder) {
  Counts quantities, places, provenances, runs;
  int missing = 0;
  for (const Record* record : records.standing()) {
    ++quantities[(record->what.software == "opsched" ? "" : record->what.software + ": ") + record->quantity];
    ++places[records.run_of(*record).where()];
    ++(record->missing.empty() ? provenances[to_string(record->provenance)] : missing);
    ++runs[record->run];
  }
  if (missing > 0) provenances["no value (with a reason)"] = missing;
  const std::size_t standing = records.standing().size();
  std::string text = records::records_file(folder) + ": " + std::to_string(standing) + " records";
  if (records.all().size() > standing)
    text += ", and " + std::to_string(records.all().size() - standing) + " older ones with the same keys (--history)";
  std::cout << wrapped(text, "  ") << "\n";
  print_counts("quantity", quantities);
  print_counts("made on", places);
  print_counts("provenance", provenances);
  std::cout << "\n";
  print_runs(records, runs);
}

bool matches(const Record& record, const std::vector<std::string>& words) {
  const std::string text = record.key() + " " + to_string(record.provenance);
  for (const std::string& word : words)
    if (text.find(word) == std::string::npos) return false;
  return true;
}

std::string number_text(double value) { return significant(value, 6); }

std::string value_text(const Record& record) {
  if (!record.missing.empty()) return "no value: " + record.missing;
  std::string text = record.value ? number_text(*record.value) : "-";
  if (!record.unit.empty()) text += " " + record.unit;
  text += ", " + to_string(record.provenance);
  if (const auto& s = record.spread; s && s->runs > 0) {
    text += "; " + std::to_string(s->runs) + " samples, " + number_text(s->min) + " to " + number_text(s->max);
    if (s->p90 > 0) text += ", p90 " + number_text(s->p90) + ", p99 " + number_text(s->p99);
  }
  return text;
}

std::string clocks_text(const Clocks& clocks) {
  return "SM " + std::to_string(clocks.sm_mhz) + " MHz, memory " + std::to_string(clocks.memory_mhz) + " MHz" +
         (clocks.throttled ? ", throttled" : "");
}

std::string group_text(const Graph* graph, const Group& group) {
  return joined(group, [&](OpId op) {
    const bool named = graph != nullptr && op < graph->size();
    return named ? graph->op(op).name : std::to_string(op);
  });
}

/// The network of a record, or nullptr if it has changed since.
std::unique_ptr<Graph> graph_of(const Record& record) try {
  auto graph = std::make_unique<Graph>(bench::make_graph(record.what));
  return fingerprint(*graph) == record.graph ? std::move(graph) : nullptr;
} catch (const Error&) {
  return nullptr;  // the block, part or file no longer exists: operators are shown by number
}

void print_schedule(const Records& records, const Record& record) {
  const records::ScheduleLine* line = records.schedule(record.schedule);
  if (line == nullptr) {
    std::cout << "  its schedule " << record.schedule << " is not stored\n";
    return;
  }
  const Schedule schedule = schedule_from_text(line->text);
  const std::unique_ptr<Graph> graph = graph_of(record);
  const std::shared_ptr<const Graph> scheduled = graph ? scheduled_graph(*graph, schedule) : nullptr;
  std::cout << "  schedule " << line->schedule << ": " << stage_count(schedule) << " stages on "
            << counted(schedule.devices.size(), "device") << ", " << to_string(schedule.mode) << " mode"
            << (schedule.splits.empty() ? "" : ", " + counted(schedule.splits.size(), "split operator"))
            << (graph ? "" : "; operators as numbers") << "\n";
  TextTable table({Align::right, Align::right, Align::left});
  table.add({"device", "stage", " groups in parallel, each running its operators in order"});
  for (std::size_t d = 0; d < schedule.devices.size(); ++d)
    for (std::size_t s = 0; s < schedule.devices[d].stages.size(); ++s) {
      const Stage& stage = schedule.devices[d].stages[s];
      const std::string groups = joined(
          stage.groups, [&](const Group& group) { return group_text(scheduled.get(), group); }, " | ");
      table.add({std::to_string(d), std::to_string(s + 1),
                 " " + std::string(stage.strategy == Strategy::merge ? "merged: " : "") + groups});
    }
  std::cout << table.text("  ");
}

void print_kernels(const Records& records, const Record& record) {
  const records::KernelChoices* choices = records.kernels(record.kernels);
  if (choices == nullptr) {
    std::cout << "  the kernels are not stored\n";
    return;
  }
  TextTable table({Align::left});
  table.add({"problem", "kernel"});
  for (const auto& [problem, kernel] : *choices) table.add({problem, kernel});
  std::cout << table.text("  ");
}

/// Formats a command for copying: line breaks come before options, and before values that are too long to stay with
/// theirs.
std::string in_lines(const std::string& command, const std::string& indent) {
  const std::size_t room = kTextWidth - indent.size() - 3;  // without the blank in front and the backslash behind
  std::string text;
  for (std::size_t begin = 0, width = 0; begin < command.size();) {
    std::size_t end = std::min(command.find(" --", begin + 1), command.size());
    const bool breaks = width > 0 && width + (end - begin) > room;
    if (end - begin > room && command.compare(begin, 3, " --") == 0) end = std::min(command.find(' ', begin + 1), end);
    text += breaks ? " \\\n" + indent + " " : "";
    width = (breaks ? 1 : width) + (end - begin);
    text += command.substr(begin, end - begin);
    begin = end;
  }
  return text;
}

void print_record(const Records& records, const Record& record, const RecordsOptions& options, bool stands) {
  const Run& run = records.run_of(record);
  std::cout << record.key() << (stands ? "" : " (older or weaker)") << "\n";
  TextTable table({Align::left});
  table.add({"value", value_text(record)});
  table.add({"made on", run.where() + (run.note.empty() ? "" : "; " + run.note)});
  table.add({"at", record.time});
  if (record.clocks.sm_mhz > 0) table.add({"clocks", clocks_text(record.clocks)});
  const auto number = [](const auto& entry) { return entry.first + " " + number_text(entry.second); };
  if (!record.numbers.empty()) table.add({"numbers", joined(record.numbers, number)});
  for (const auto& [name, text] : record.texts) table.add({name, text});
  for (const auto& [name, column] : record.series) table.add({name, counted(column.size(), "value")});
  if (!record.schedule.empty()) table.add({"schedule", record.schedule + " of graph " + record.graph});
  std::cout << table.text("  ");
  if (!run.command.empty()) std::cout << "  made by\n    " << in_lines(run.command, "    ") << "\n";
  if (options.schedule && !record.schedule.empty()) print_schedule(records, record);
  if (options.kernels) print_kernels(records, record);
}

void show_records(const RecordsOptions& options) {
  if (!std::filesystem::exists(records::records_file(options.folder)))
    throw Error("'" + options.folder + "' has no records: there is no " + records::records_file(options.folder));
  const Records records = Records::read(options.folder);
  for (const std::string& warning : records.warnings()) warn(warning);
  if (options.words.empty()) return print_summary(records, options.folder);
  int found = 0;
  for (const Record* standing : records.standing()) {
    // A full key selects only that record.
    const bool exact = options.words.size() == 1 && records.find(options.words.front()) != nullptr;
    if (exact ? standing->key() != options.words.front() : !matches(*standing, options.words)) continue;
    if (found++ > 0) std::cout << "\n";
    print_record(records, *standing, options, true);
    if (!options.history) continue;
    for (auto old = records.all().rbegin(); old != records.all().rend(); ++old)
      if (&*old != standing && old->key() == standing->key()) print_record(records, *old, options, false);
  }
  if (found == 0)
    throw Error("no record of '" + options.folder + "' has all of these words in its key (opsched records " +
                options.folder + " lists what there is)");
}

}  // namespace

Command records_command() {
  return {.name = "records",
          .summary = "Show where a number comes from, and its schedule and kernels",
          .examples =
              "  opsched records results/h200                             what the folder contains, and its origin\n"
              "  opsched records results/h200 nasnet ios-both fp16        every record with these words in its key\n"
              "  opsched records results/h200 nasnet/ios-both/batch:1/fp16/gpus:1 --schedule --kernels\n"
              "                                                           one record, with schedule and kernels\n"
              "  opsched records results/h200 nasnet/ios-both --history   also what was measured before\n"
              "  opsched records results/h200 simulated                   everything that was not measured\n"
              "A record is a number with the command, device, versions and time that produced it (docs/records.md).\n"
              "Its key is NETWORK/SCHEDULER/batch:B/PRECISION/gpus:N, followed by #QUANTITY unless it is a latency,\n"
              "and {labels}. Of several records with one key the last one is valid, unless it is weaker: a\n"
              "simulated number never replaces a measured one.",
          .setup = setup_of(show_records)};
}

}  // namespace opsched::cli
