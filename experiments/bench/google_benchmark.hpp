// Wrapper for Google Benchmark: registration, filters, repetitions, iterations, statistics, context, reporters. The
// rest of the program does not include its header.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace opsched::bench {

/// How one benchmark is run. Google Benchmark chooses how many iterations a repetition has.
struct Benchmark {
  std::string name;
  bool sampled = true;  ///< false: a single number, looked up or simulated, which is not repeated
  /// Latencies of this many runs, ms. Called for every repetition, and while the number of iterations is determined.
  /// Throws Error if it cannot run, and Stop to end everything.
  std::function<std::vector<double>(int)> sample;
  /// Of all samples so far, for Google Benchmark's counters; called after sample.
  std::function<std::map<std::string, double>()> counters;
  /// A label: "simulated", "throttled"; empty: none.
  std::function<std::string()> label;
  /// Called after all repetitions. `error`: why it could not run; empty if it ran.
  std::function<void(const std::string& error)> done;
};

/// Thrown by Benchmark::sample to end the run. Not an Error: the caller knows the reason.
struct Stop {};

struct GoogleBenchmarkOptions {
  std::vector<std::string> flags;              ///< --benchmark_...=..., the user's
  double max_seconds = 2;                      ///< of one benchmark's repetitions together, about
  std::map<std::string, std::string> context;  ///< for its reports
  std::function<void()> before_output;         ///< called before anything is printed
};

/// Google Benchmark, set up once in a program.
class GoogleBenchmark {
 public:
  /// Throws Error for invalid flags, and if a requested file cannot be written.
  explicit GoogleBenchmark(GoogleBenchmarkOptions options);
  ~GoogleBenchmark();
  GoogleBenchmark(const GoogleBenchmark&) = delete;
  GoogleBenchmark& operator=(const GoogleBenchmark&) = delete;

  /// Registers and runs. Prints only if flags request a format (--benchmark_format); files requested by flags
  /// (--benchmark_out) are written by Google Benchmark.
  void run(const std::vector<Benchmark>& benchmarks);

 private:
  GoogleBenchmarkOptions options_;
  std::vector<std::string> arguments_;  ///< Google Benchmark keeps a pointer to the first
};

/// Value of a flag among these; nothing: not given. "" for one without a value.
std::optional<std::string> flag_value(const std::vector<std::string>& flags, const std::string& name);

}  // namespace opsched::bench
