// Lists of names, as messages show them, and what has one of them.
#pragma once

#include <functional>
#include <string>

#include "core/error.hpp"

namespace opsched {

/// "a, b, c": of every entry of a list what `name_of` (a function or a member) gives.
template <class List, class NameOf = std::identity>
std::string joined(const List& list, const NameOf& name_of = {}, const std::string& between = ", ") {
  std::string text;
  for (const auto& entry : list) text.append(text.empty() ? "" : between).append(std::invoke(name_of, entry));
  return text;
}

/// The entry whose member `name` is this. Throws Error: `unknown`, and behind it the names that there are.
template <class List>
const auto& find_named(const List& list, const std::string& name, const std::string& unknown) {
  for (const auto& entry : list)
    if (entry.name == name) return entry;
  throw Error(unknown + joined(list, [](const auto& entry) { return entry.name; }));
}

}  // namespace opsched
