// What a benchmark run shows on a terminal: a line a case, and a table at the end.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "experiments/records/record.hpp"

namespace opsched::bench {

/// One case: its name, latency, spread and speed-up over `baseline` (nullptr: there is none).
void print_line(std::ostream& out, const records::Record& record, const records::Record* baseline);

/// Network x scheduler against precision, one table for every batch, image and device count: latency
/// in ms and the speed-up over sequential on one device. "~": simulated. Then what could not run, and why.
void print_table(std::ostream& out, const std::vector<records::Record>& results);

}  // namespace opsched::bench
