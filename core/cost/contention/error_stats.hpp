// Errors of predictions compared with measurements.
#pragma once

#include <span>
#include <string>

namespace opsched {

struct ErrorStats {
  int count = 0;
  double median = 0, p90 = 0, worst = 0;  ///< of |predicted / measured - 1|
  double bias = 0;                        ///< median of predicted / measured - 1
  double rank = 0;                        ///< Spearman's rank correlation; 1 if there are fewer than 3
};

/// Both vectors have the same length, above 0.
ErrorStats error_stats(std::span<const double> predicted, std::span<const double> measured);
/// Spearman's rank correlation; ties share their mean rank.
double rank_correlation(std::span<const double> a, std::span<const double> b);
/// "median 3.1%, 90% below 8.0%, bias +0.4%, rank 0.98 (412)"
std::string to_string(const ErrorStats& stats);

}  // namespace opsched
