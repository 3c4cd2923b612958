// opsched report: makes an HTML page from a results folder.
#include <algorithm>
#include <filesystem>

#include "experiments/cli/command.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/figures/python.hpp"
#include "experiments/studies/scratch_folder.hpp"
#include "experiments/studies/timelines.hpp"

namespace opsched::cli {
namespace {

struct ReportOptions {
  std::string folder, output = "report.html";

  void add_to(CLI::App& app) {
    app.add_option("FOLDER", folder, "A results folder")->required();
    app.add_option("-o,--output", output, "The page");
  }
};

/// How many latencies in the folder are of a schedule.
int scheduled(const records::Records& records) {
  return static_cast<int>(std::ranges::count_if(
      records.standing(), [](const records::Record* r) { return r->quantity == "latency" && !r->schedule.empty(); }));
}

/// Adds timelines of the folder's schedules, replayed on its profile; none without a profile.
TimelineCounts add_timelines(const ReportOptions& options, const records::Records& records, const std::string& into,
                             StatusLine& status) {
  if (!has_profile(options.folder)) {
    TimelineCounts none;
    if (const int count = scheduled(records)) none.left_out["the folder has no profile to simulate it on"] = count;
    return none;
  }
  const Report report = interruptible(status);
  const std::unique_ptr<Device> device = open_recorded({.kind = "sim", .profile = options.folder, .report = report});
  return write_timelines(records, options.folder, *device, into, report);
}

void make_report(const ReportOptions& options) {
  StatusLine status;
  if (!std::filesystem::is_directory(options.folder)) throw Error("there is no folder '" + options.folder + "'");
  const records::Records records = records::Records::read(options.folder);
  for (const std::string& warning : records.warnings()) warn(warning);
  if (records.empty()) throw Error("'" + options.folder + "' has no records");
  const ScratchFolder timelines("report");
  const TimelineCounts counts = add_timelines(options, records, timelines.path(), status);
  status.show("writing the page");
  try {
    figures::run_python("report.py", {options.folder, "--timelines", timelines.path(), "-o", options.output},
                        {"plotly", "matplotlib"}, options.folder + " is read",
                        "no Python with plotly and matplotlib was found to write the page; run ./opsched report in the "
                        "source tree, which installs them, or: pip install plotly matplotlib");
  } catch (const Error&) {
    check_interrupt();  // Ctrl-C also ends the script
    throw;
  }
  status.clear();
  std::cout << options.output << ": " << records.standing().size() << " records, " << counts.written << " timelines\n";
  for (const auto& [why, count] : counts.left_out) std::cout << "  no timeline for " << count << ": " << why << "\n";
}

}  // namespace

Command report_command() {
  return {.name = "report",
          .summary = "Make one HTML page of a results folder, with tables, figures and a timeline of every schedule",
          .examples =
              "  opsched report results/h200 -o h200.html     then open h200.html in a browser\n"
              "The page needs no network and no other file. Timelines are simulated on the folder's profile.",
          .setup = setup_of(make_report)};
}

}  // namespace opsched::cli
