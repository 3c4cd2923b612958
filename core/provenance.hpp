// How a number was obtained. Every number that is shown or stored includes it.
#pragma once

#include <string>

namespace opsched {

enum class Provenance {
  measured,   ///< timed on a device, now or when it was recorded
  recorded,   ///< computed from latencies that were measured earlier (stages of a profile)
  simulated,  ///< predicted, at least in part, by a model
  synthetic,  ///< from made-up costs
  exact       ///< counted or computed, without error
};

std::string to_string(Provenance provenance);
/// Throws Error listing the known words.
Provenance parse_provenance(const std::string& word);
/// May a number of provenance `now` replace one of provenance `old` without an explicit request? Only if it is equally
/// strong or stronger: simulated < recorded < measured. Synthetic and exact numbers replace only numbers of the same
/// provenance.
bool may_replace(Provenance now, Provenance old);

}  // namespace opsched
