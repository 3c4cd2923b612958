#include "core/provenance.hpp"

#include <array>
#include <utility>

#include "core/names.hpp"

namespace opsched {
namespace {

constexpr std::array<std::pair<Provenance, const char*>, 5> kWords = {{{Provenance::measured, "measured"},
                                                                       {Provenance::recorded, "recorded"},
                                                                       {Provenance::simulated, "simulated"},
                                                                       {Provenance::synthetic, "synthetic"},
                                                                       {Provenance::exact, "exact"}}};

/// Position on the scale; -1: not on it.
int strength(Provenance provenance) {
  switch (provenance) {
    case Provenance::measured:
      return 2;
    case Provenance::recorded:
      return 1;
    case Provenance::simulated:
      return 0;
    default:
      return -1;
  }
}

}  // namespace

std::string to_string(Provenance provenance) {
  for (const auto& [value, word] : kWords)
    if (value == provenance) return word;
  throw Error("no word for provenance " + std::to_string(static_cast<int>(provenance)));
}

Provenance parse_provenance(const std::string& word) {
  for (const auto& [value, name] : kWords)
    if (word == name) return value;
  throw Error("unknown provenance '" + word +
              "'; known: " + joined(kWords, [](const auto& entry) { return entry.second; }));
}

bool may_replace(Provenance now, Provenance old) {
  if (strength(now) < 0 || strength(old) < 0) return now == old;
  return strength(now) >= strength(old);
}

}  // namespace opsched
