#pragma once

namespace opsched {

/// One measured latency. Numbers are rounded to 5 digits, as in the file, when recorded.
struct ProfileEntry {
  double ms = 0;
  double mad_ratio = 0;  ///< median absolute deviation over the median
  int runs = 0;
  bool operator==(const ProfileEntry&) const = default;
};

}  // namespace opsched
