// Protocols: how repeated runs of a schedule are measured. docs/measuring.md says which to quote.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace opsched {

struct Protocol {
  enum class Kind {
    burst,      ///< runs are queued, so that launches overlap with the previous run; until the median is accurate
    replays,    ///< the same, 1,000 runs, for the tail
    lone,       ///< one run at a time, nothing queued, from launch to completion on the host clock
    cold,       ///< caches are flushed before each run; the flush is not timed
    rotating,   ///< each run has another input, written before it; the writing is not timed
    in_flight,  ///< several runs at once, each in memory of its own: time over runs, the reciprocal of the throughput
    energy,     ///< of all devices during back-to-back runs, including idle power
  };
  Kind kind = Kind::burst;
  int in_flight = 1;  ///< runs at once; more than 1 for Kind::in_flight only

  /// As parse_protocol reads it: "lone", "in-flight=2".
  std::string name() const;
  /// Of a sample: "ms", or "mJ" for energy.
  std::string unit() const;
  /// Number of samples, if fixed; 0: until the median is accurate.
  int samples() const;
  bool operator==(const Protocol&) const = default;
};

/// Throws Error for an unknown name, listing the known ones, and for a number in flight outside 2 to 64.
Protocol parse_protocol(const std::string& text);
/// "burst, replays, ...", with what belongs to a name.
std::string known_protocols();

/// Host time in ms of `run`, `count` times; `before` runs before each and is not timed.
std::vector<double> host_samples(int count, const std::function<void(int)>& before, const std::function<void()>& run);

}  // namespace opsched
