// Which benchmark a result is of, in the files that hold results.
#pragma once

#include <nlohmann/json.hpp>

#include "experiments/records/cases.hpp"

namespace opsched::bench {

/// network, scheduler, batch, image, precision, gpus.
nlohmann::ordered_json case_to_json(const Case& what);
/// From an object that has these. Throws a JSON exception where one is missing, Error for an unknown precision.
Case case_from_json(const nlohmann::ordered_json& json);

}  // namespace opsched::bench
