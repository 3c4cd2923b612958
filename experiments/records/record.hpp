// A record: the form in which all numbers are stored. docs/records.md describes the file; docs/records.schema.json is
// its schema; analysis/opsched/records.py reads and writes the same format.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/graph/image_size.hpp"
#include "core/precision.hpp"
#include "core/provenance.hpp"
#include "core/runtime/measurement.hpp"

namespace opsched::records {

/// What ran: a combination of network, scheduler, batch, image, precision and devices.
struct Case {
  std::string network, scheduler;  ///< for other software: its mode ("eager")
  int batch = 1;
  ImageSize image{};  ///< 0: the network's own
  Precision precision = Precision::fp32;
  int gpus = 1;
  std::map<std::string, std::string> options{};  ///< of the scheduler
  std::string software = "opsched";              ///< or a baseline: "pytorch"
  std::string file{};                            ///< graph file that is read; empty: a network by name

  /// inception_v3/wavefront/batch:1/fp32/gpus:1; with /image:512 or /image:480x640 behind the batch if it is not the
  /// network's own, options behind the scheduler (ios-both,r=1,s=3), other software in front
  /// (pytorch:inception_v3/...).
  std::string name() const;
  /// The scheduler with its options: ios-both,r=1,s=3.
  std::string scheduler_name() const;
  /// Sort key under which cases of one graph and precision are adjacent, so that its costs are made once for all of
  /// them.
  auto neighbourhood() const { return std::tie(gpus, network, batch, image, precision); }
  /// Of the same name: wherever a graph file lies.
  bool operator==(const Case& other) const {
    return neighbourhood() == other.neighbourhood() &&
           std::tie(scheduler, options, software) == std::tie(other.scheduler, other.options, other.software);
  }
};

/// The case of a name (Case::name); nothing if the text is not one.
std::optional<Case> parse_case(const std::string& name);

/// The case with which a case is compared: the same graph and precision, sequential, on one device, by the same
/// software.
Case baseline_of(const Case& what);

/// Distribution of the samples behind a value; all except `runs` and `mad_ratio` in the value's unit.
struct Spread {
  double p90 = 0, p99 = 0, min = 0, max = 0, stddev = 0;  ///< 0: not known
  double mad_ratio = 0;                                   ///< median absolute deviation over the median
  int runs = 0;                                           ///< samples
  bool operator==(const Spread&) const = default;
};

/// Where, with which versions and by which command records were made. Written once; records refer to it by id.
struct Run {
  std::string id{};                               ///< set by RecordFile
  std::string device{};                           ///< "NVIDIA H200"; of synthetic and exact numbers: empty
  std::string driver{}, cuda{}, cudnn{};          ///< versions
  std::string kernels{};                          ///< version of our kernels
  std::map<std::string, std::string> software{};  ///< versions of baselines: {"torch": "2.11.0+cu130"}
  std::string command{};                          ///< that a user can repeat
  std::string note{};                             ///< "replayed from results/h200", or other information for readers
  std::string begin{};                            ///< UTC, 2026-11-28T00:10:13Z
  bool operator==(const Run&) const = default;
  /// Same device, versions, command and note at any time: one run then continues the other.
  bool same_work(const Run& other) const;
  /// Of driver, libraries and kernels.
  bool same_versions(const Run& other) const;
  /// "NVIDIA H200, driver 580.159.04, CUDA 13.0, cuDNN 9.19.0, kernels 9"
  std::string where() const;
};

struct Record {
  Case what;
  std::string quantity = "latency";             ///< what the value is: latency, makespan, search_space, ...
  std::map<std::string, std::string> labels{};  ///< anything else that distinguishes records of one case and quantity
  std::string missing{};                        ///< why there is no value; empty: there is one
  std::optional<double> value{};                ///< median where it was sampled; absent: `numbers` or `series` say all
  std::string unit{};                           ///< ms, bytes, ...; empty: a plain count or ratio
  std::optional<Spread> spread{};
  std::map<std::string, double> numbers{};              ///< additional data; names end in their unit
  std::map<std::string, std::string> texts{};           ///< additional text
  std::map<std::string, std::vector<double>> series{};  ///< columns of equal length
  std::string graph{}, schedule{};                      ///< fingerprints (core/cost/signature/signature.hpp)
  std::string kernels{};                                ///< id of the kernels chosen
  Clocks clocks{};
  Provenance provenance = Provenance::measured;
  bool replaces = false;  ///< replaces stronger records: requested with --replace
  std::string run{};      ///< id; set by RecordFile
  std::string time{};     ///< UTC; set by RecordFile if empty
  bool operator==(const Record&) const = default;

  /// What it is of: the case's name, behind it #quantity unless that is latency, and labels in braces:
  /// "inception_v3/ios-both/batch:1/fp32/gpus:1#ablation{study=pruning,variant=r=1 s=3}".
  std::string key() const;
  /// A number by name. Throws Error naming record and number if it does not exist.
  double number(const std::string& name) const;
  double number_or(const std::string& name, double otherwise) const;
};

/// The kernel of each problem of a program.
using KernelChoices = std::map<std::string, std::string>;

// Lines of a records file, except the first.
struct ScheduleLine {
  std::string schedule, graph, text;  ///< fingerprints; core/schedule/schedule_text.hpp
};
struct KernelsLine {
  std::string id;
  KernelChoices choices;
};
struct EndLine {
  std::string run;
};

using Line = std::variant<Record, Run, ScheduleLine, KernelsLine, EndLine>;

/// Throws Error for a number that is not finite.
std::string to_line(const Line& line);
/// Throws Error (without a place in front) for a text that is none.
Line read_line(const std::string& text);
/// The line that every records file begins with.
std::string first_line();
/// Throws Error for a first line that is not that of a records file of this version.
void check_first_line(const std::string& line);

/// Now, as records say it.
std::string utc_now();
/// Id of what is chosen.
std::string id_of(const KernelChoices& choices);

}  // namespace opsched::records
