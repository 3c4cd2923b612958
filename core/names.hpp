// Lists of names in messages, and lookup by name.
#pragma once

#include <functional>
#include <string>

#include "core/error.hpp"

namespace opsched {

/// "a, b, c": the result of `name_of` (a function or member) for every entry.
template <class List, class NameOf = std::identity>
std::string joined(const List& list, const NameOf& name_of = {}, const std::string& between = ", ") {
  std::string text;
  for (const auto& entry : list) text.append(text.empty() ? "" : between).append(std::invoke(name_of, entry));
  return text;
}

/// The entry whose member `name` has this value. Throws Error with the text `unknown` followed by the known names.
template <class List>
const auto& find_named(const List& list, const std::string& name, const std::string& unknown) {
  for (const auto& entry : list)
    if (entry.name == name) return entry;
  throw Error(unknown + joined(list, [](const auto& entry) { return entry.name; }));
}

}  // namespace opsched
