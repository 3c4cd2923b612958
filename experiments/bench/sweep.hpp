// A sweep: a file that lists the cases of a benchmark. docs/sweeps.md describes it; docs/sweep.schema.json is its
// schema.
#pragma once

#include <string>
#include <vector>

#include "experiments/bench/cases.hpp"

namespace opsched::bench {

/// The cases of its entries, one entry after another, each case once: those of CaseList for the same lists. Graph
/// files are looked for from the working directory. Throws Error that names the file, the entry and the key: for what
/// is no such file, for unknown keys, names and options (with the known ones), for empty lists, and as CaseList does.
std::vector<Case> sweep_cases(const std::string& path);

}  // namespace opsched::bench
