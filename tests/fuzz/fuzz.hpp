// Shared by the fuzzers. An input is either read or refused with an opsched::Error; anything else ends the fuzzer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/graph/graph.hpp"

namespace opsched::fuzz {

/// Runs `read` and ignores an opsched::Error.
int accept(const std::function<void()>& read);

/// Writes the bytes to a file of the given name in folder(); returns its path.
std::string as_file(const std::string& name, const std::string& text);
/// A folder of this process.
const std::string& folder();

/// The graph of the schedules: a convolution, two that read it, and one that joins them.
Graph small_graph();

}  // namespace opsched::fuzz
