// Parses the two JSON formats of a graph. Only for .cpp files.
#pragma once

#include <nlohmann/json.hpp>

#include "core/graph/files/json_reader.hpp"
#include "core/graph/graph_spec.hpp"

namespace opsched {

/// Our own form. Throws Error.
GraphSpec spec_from_json(const JsonReader& file);

/// IOS's form. Throws Error.
GraphSpec spec_from_ios_json(const JsonReader& file);

/// A value of a term, [name, begin, end], the same in both formats.
ValueSpec read_value(const JsonReader& json);
std::vector<std::vector<ValueSpec>> read_terms(const JsonReader& json);

}  // namespace opsched
