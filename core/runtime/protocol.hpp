// How repeated runs of a schedule are measured: by a protocol. docs/measuring.md says which of them to quote when.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace opsched {

struct Protocol {
  enum class Kind {
    burst,      ///< runs are queued, so that launches hide behind the run before; until the median is known well
    replays,    ///< the same, 1,000 runs, for the tail
    lone,       ///< one run at a time, nothing queued: from the launch to its completion, on the host's clock
    cold,       ///< caches are flushed before each run; the flush is not timed
    rotating,   ///< each run has another input, written before it; the writing is not timed
    in_flight,  ///< several runs at once, each in memory of its own: time over runs, the reciprocal of the throughput
    energy,     ///< of the whole device while runs follow each other, idle power included
  };
  Kind kind = Kind::burst;
  int in_flight = 1;  ///< runs at once; more than 1 for Kind::in_flight only

  /// As parse_protocol reads it: "lone", "in-flight=2".
  std::string name() const;
  /// Of a sample: "ms", or "mJ" for energy.
  std::string unit() const;
  /// How many samples it takes, where that is fixed; 0: until the median is known well.
  int samples() const;
  bool operator==(const Protocol&) const = default;
};

/// Throws Error for an unknown name, which lists the known ones, and for a number in flight that is not from 2 to 64.
Protocol parse_protocol(const std::string& text);
/// "burst, replays, ...", with what belongs to a name.
std::string known_protocols();

/// Milliseconds of the host's clock that `run` takes, `count` times; `before` comes before each and is not timed.
std::vector<double> host_samples(int count, const std::function<void(int)>& before, const std::function<void()>& run);

}  // namespace opsched
