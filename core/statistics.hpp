// Summaries of samples.
#pragma once

#include <vector>

namespace opsched {

/// The value below which a part `q` (0 to 1) of the values lies, interpolated between the two nearest ones in order
/// (type 7 of Hyndman and Fan, "Sample Quantiles", 1996; NumPy's default). Throws Error without values, and where `q`
/// is outside [0, 1].
double quantile(std::vector<double> values, double q);
/// The middle value; of an even number of values the mean of the two in the middle. Throws Error without values.
double median(std::vector<double> values);

}  // namespace opsched
