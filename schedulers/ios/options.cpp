#include "schedulers/ios/options.hpp"

#include <sstream>

#include "core/error.hpp"

namespace opsched {

std::string to_string(Enumeration enumeration) {
  return enumeration == Enumeration::single_source ? "single-source" : "components";
}

Enumeration parse_enumeration(const std::string& name) {
  for (Enumeration e : {Enumeration::single_source, Enumeration::components})
    if (name == to_string(e)) return e;
  throw Error("unknown enumeration '" + name + "'; known: single-source, components");
}

void parse_strategies(const std::string& text, IosOptions& options) {
  options.concurrent = options.merge = false;
  std::istringstream in(text);
  for (std::string name; std::getline(in, name, ',');) {
    if (name == "concurrent")
      options.concurrent = true;
    else if (name == "merge")
      options.merge = true;
    else
      throw Error("unknown strategy '" + name + "'; known: concurrent, merge");
  }
  check(options);
}

void check(const IosOptions& options) {
  if (!options.concurrent && !options.merge) throw Error("no strategy given; known: concurrent, merge");
  if (options.group_size < 1) throw Error("the group size r must be at least 1 or unlimited: no stage fits otherwise");
  if (options.groups < 1)
    throw Error("the number of groups s must be at least 1 or unlimited: no stage fits otherwise");
  if (options.max_part_size < 1) throw Error("the part size must be at least 1");
}

}  // namespace opsched
