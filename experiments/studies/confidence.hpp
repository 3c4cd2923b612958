// Means with their confidence bands.
#pragma once

#include <span>

namespace opsched {

/// Mean of a sample and its 95% confidence band (Student's t); the band of a single value is the value.
struct Band {
  double mean = 0, low = 0, high = 0;
};

/// Throws Error for an empty sample.
Band confidence_band(std::span<const double> sample);

}  // namespace opsched
