// The command that the user gave, for records: so that it can be repeated.
#pragma once

#include <string>

namespace opsched::cli {

/// "opsched bench --out results/mygpu", words with spaces or quotes in single quotes; without --fresh, for
/// the command without it goes on with what the one with it began. Empty where the system does not
/// tell (no /proc).
std::string command_line();

}  // namespace opsched::cli
