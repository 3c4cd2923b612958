// Summaries of samples.
#pragma once

#include <vector>

namespace opsched {

/// The quantile `q` (0 to 1), interpolated between the two nearest values in order (type 7 of Hyndman and Fan, "Sample
/// Quantiles", 1996; NumPy's default). Throws Error without values, and if `q` is outside [0, 1].
double quantile(std::vector<double> values, double q);
/// The median; for an even number of values, the mean of the two middle ones. Throws Error without values.
double median(std::vector<double> values);

}  // namespace opsched
