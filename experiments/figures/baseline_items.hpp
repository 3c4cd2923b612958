// Latencies of the peers (experiments/baselines/), read from peers.jsonl of the results folder.
#pragma once

#include "experiments/figures/figure.hpp"

namespace opsched::figures {

/// All that peers measured on this network: a row a peer and way to run it, labels "peer" and "mode".
/// Throws Error (when gathered) where nothing was.
Item peer_item(const std::string& network, int batch, Precision precision);

}  // namespace opsched::figures
