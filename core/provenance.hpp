// How a number came about. Every number that is shown or kept says so.
#pragma once

#include <string>

namespace opsched {

enum class Provenance {
  measured,   ///< timed on a device, now or when it was recorded as such
  recorded,   ///< put together from latencies that were measured earlier (a profile's stages)
  simulated,  ///< predicted, at least in part, by a model
  synthetic,  ///< from made-up costs
  exact       ///< counted or computed, no error
};

std::string to_string(Provenance provenance);
/// Throws Error listing the known words.
Provenance parse_provenance(const std::string& word);
/// May a number of provenance `now` take the place of one of provenance `old` without being asked to? A number is
/// replaced by an equally strong or a stronger one: simulated, then recorded, then measured. Synthetic and exact
/// numbers replace only their like.
bool may_replace(Provenance now, Provenance old);

}  // namespace opsched
