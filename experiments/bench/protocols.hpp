// Results of protocols (core/runtime/protocol.hpp) for a schedule, as records and as text.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/executor.hpp"
#include "experiments/records/record.hpp"

namespace opsched::bench {

/// For --measure: a list of protocol names. Throws Error as parse_protocol does, and for a duplicate name.
std::vector<Protocol> parse_protocols(const std::vector<std::string>& names);

/// What --measure means, with the names that there are.
std::string protocols_help();

/// Quantity `protocol`, label `protocol`, for the case on this executor. If the executor does not support it, the
/// record says why (`missing`). Passes on DeviceLost.
records::Record measure_by(const Protocol& protocol, const records::Case& what, Executor& executor);

/// The key of that record.
records::Record protocol_record(const Protocol& protocol, const records::Case& what);

/// One line, without what it is of: "p50 0.1234 ms, p90 ..., 1000 runs".
std::string protocol_text(const records::Record& record);

}  // namespace opsched::bench
