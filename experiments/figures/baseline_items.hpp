// Latencies of other software (experiments/baselines/), and ours measured beside it.
#pragma once

#include "experiments/figures/figure.hpp"

namespace opsched::figures {

/// All that was measured of other software on this network, whatever the way to run it, and of ours in the same turn
/// (label "beside").
Item baseline_item(const std::string& network, int batch, Precision precision);

}  // namespace opsched::figures
