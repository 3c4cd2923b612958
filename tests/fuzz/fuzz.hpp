// What the fuzzers share. An input is either read or refused with an opsched::Error; anything else ends the fuzzer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/graph/graph.hpp"

namespace opsched::fuzz {

/// Runs `read`; a refusal is as good as success.
int accept(const std::function<void()>& read);

/// The bytes in a file of the given name, in a folder of this process; returns its path.
std::string as_file(const std::string& name, const std::string& text);
/// That folder.
const std::string& folder();

/// What schedules are read for: a convolution, two that read it, and one that joins them.
Graph small_graph();

}  // namespace opsched::fuzz
