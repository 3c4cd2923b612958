#include "experiments/bench/google_benchmark.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>

#include "core/names.hpp"
#include "core/statistics.hpp"

namespace opsched::bench {
namespace {

constexpr int kRepetitions = 10;

struct Running {
  const Benchmark* what = nullptr;
  std::string error{};  ///< why it could not run
};

/// Detects when the repetitions of a benchmark are done; passes everything on to another reporter, if there is one.
class DoneReporter final : public benchmark::BenchmarkReporter {
 public:
  DoneReporter(const std::map<std::string, Running>& benchmarks, std::unique_ptr<BenchmarkReporter> printer,
               std::function<void()> before_output)
      : benchmarks_(benchmarks), printer_(std::move(printer)), before_output_(std::move(before_output)) {}

  bool ReportContext(const Context& context) override {
    if (!printer_) return true;
    before_output_();
    printer_->SetOutputStream(&GetOutputStream());
    printer_->SetErrorStream(&GetErrorStream());
    return printer_->ReportContext(context);
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    if (const auto it = benchmarks_.find(runs.front().run_name.function_name); it != benchmarks_.end())
      it->second.what->done(it->second.error);
    if (!printer_) return;
    before_output_();
    printer_->ReportRuns(runs);
  }
  void Finalize() override {
    if (printer_) printer_->Finalize();
  }

 private:
  const std::map<std::string, Running>& benchmarks_;
  std::unique_ptr<BenchmarkReporter> printer_;
  std::function<void()> before_output_;
};

std::unique_ptr<benchmark::BenchmarkReporter> printer_of(const std::string& format) {
  if (format.empty()) return nullptr;
  if (format == "console") return std::make_unique<benchmark::ConsoleReporter>();
  if (format == "json") return std::make_unique<benchmark::JSONReporter>();
  throw Error("--benchmark_format=" + format + ": use console or json");
}

/// One run of a benchmark: a repetition, or a trial to find the number of iterations.
void run_one(benchmark::State& state, Running& running, bool& stopped) {
  const Benchmark& what = *running.what;
  running.error = stopped ? "stopped" : "";
  if (!stopped) try {
      const std::vector<double> ms = what.sample(static_cast<int>(state.max_iterations));
      std::size_t next = 0;
      for ([[maybe_unused]] auto iteration : state) state.SetIterationTime(ms.at(next++) / 1e3);
      for (const auto& [name, value] : what.counters()) state.counters[name] = value;
      if (const std::string label = what.label(); !label.empty()) state.SetLabel(label);
    } catch (const Stop&) {
      stopped = true;
      running.error = "stopped";
    } catch (const Error& e) {
      running.error = e.what();
    }
  if (!running.error.empty()) state.SkipWithError(running.error.c_str());
}

/// Microseconds: networks take 100 to 100,000 of them, and tools that compare files print no decimals.
void register_one(Running& running, bool& stopped) {
  benchmark::internal::Benchmark* registered =
      benchmark::RegisterBenchmark(running.what->name.c_str(),
                                   [&running, &stopped](benchmark::State& state) { run_one(state, running, stopped); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
  if (!running.what->sampled) {
    registered->Iterations(1)->Repetitions(1);
    return;
  }
  registered->ComputeStatistics("p90", [](const std::vector<double>& values) { return quantile(values, 0.90); });
  registered->ComputeStatistics("p99", [](const std::vector<double>& values) { return quantile(values, 0.99); });
}

void require_number(const std::vector<std::string>& flags, const std::string& name, double least, bool whole = false) {
  const std::optional<std::string> text = flag_value(flags, name);
  if (!text) return;
  std::size_t used = 0;
  double value = least - 1;
  try {
    value = std::stod(*text, &used);
  } catch (const std::exception&) {  // reported below
  }
  constexpr double most = 1e9;  // fits an int
  if (used != text->size() || !(value >= least && value <= most) || (whole && value != std::floor(value)))
    throw Error(name + "=" + *text + ": write a " + (whole ? "whole " : "") + "number from " +
                std::to_string(static_cast<int>(least)) + " to 1000000000");
}

void require_word(const std::vector<std::string>& flags, const std::string& name,
                  const std::vector<std::string>& words) {
  const std::optional<std::string> text = flag_value(flags, name);
  if (!text || std::ranges::find(words, *text) != words.end()) return;
  throw Error(name + "=" + *text + ": use one of " + joined(words));
}

/// Rejects wrong flags here, because Google Benchmark would end the program or accept them.
void check(const std::vector<std::string>& flags) {
  printer_of(flag_value(flags, "--benchmark_format").value_or(""));
  require_number(flags, "--benchmark_repetitions", 1, true);
  require_number(flags, "--benchmark_min_time", 0);
  require_number(flags, "--benchmark_min_warmup_time", 0);
  if (const std::optional<std::string> file = flag_value(flags, "--benchmark_out");
      file && !std::ofstream(*file, std::ios::app))
    throw Error("--benchmark_out=" + *file + ": cannot write to this file");
  require_word(flags, "--benchmark_out_format", {"json", "console", "csv"});
  require_word(flags, "--benchmark_time_unit", {"ns", "us", "ms", "s"});
  const std::vector<std::string> truth = {"", "true", "false", "yes", "no", "on", "off", "1", "0"};
  for (const char* name : {"--benchmark_enable_random_interleaving", "--benchmark_report_aggregates_only",
                           "--benchmark_display_aggregates_only", "--benchmark_counters_tabular"})
    require_word(flags, name, truth);
  require_word(flags, "--benchmark_color", {"auto", "true", "false", "yes", "no", "on", "off", "1", "0"});
}

}  // namespace

std::optional<std::string> flag_value(const std::vector<std::string>& flags, const std::string& name) {
  std::optional<std::string> value;
  for (const std::string& text : flags) {
    if (text == name) value = "";
    if (text.starts_with(name + "=")) value = text.substr(name.size() + 1);
  }
  return value;
}

GoogleBenchmark::GoogleBenchmark(GoogleBenchmarkOptions options) : options_(std::move(options)) {
  check(options_.flags);
  // Google Benchmark's defaults are meant for functions that take nanoseconds. The user's flags come later and override
  // these.
  arguments_ = {"opsched bench", "--benchmark_repetitions=" + std::to_string(kRepetitions),
                "--benchmark_min_time=" + std::to_string(options_.max_seconds / (2 * kRepetitions)),
                "--benchmark_display_aggregates_only=true"};
  arguments_.insert(arguments_.end(), options_.flags.begin(), options_.flags.end());
  std::vector<char*> argv;
  argv.reserve(arguments_.size() + 1);
  for (std::string& argument : arguments_) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data());
  if (argc > 1) throw Error("unknown option '" + std::string(argv[1]) + "' (opsched bench --help)");
  for (const auto& [name, value] : options_.context) benchmark::AddCustomContext(name, value);
}

GoogleBenchmark::~GoogleBenchmark() { benchmark::Shutdown(); }

void GoogleBenchmark::run(const std::vector<Benchmark>& benchmarks) {
  bool stopped = false;
  std::map<std::string, Running> running;
  for (const Benchmark& what : benchmarks) running.emplace(what.name, Running{.what = &what});
  for (const Benchmark& what : benchmarks) register_one(running.at(what.name), stopped);
  DoneReporter reporter(running, printer_of(flag_value(options_.flags, "--benchmark_format").value_or("")),
                        options_.before_output);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::ClearRegisteredBenchmarks();
}

}  // namespace opsched::bench
