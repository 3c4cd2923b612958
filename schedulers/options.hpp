// Reads scheduler options: text in, checked values out.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "schedulers/scheduler.hpp"

namespace opsched {

/// Options of one request. Every getter throws Error naming the option, the value and the valid values. make_schedule
/// has already rejected unlisted names.
class OptionReader {
 public:
  explicit OptionReader(const SchedulerOptions& options) : options_(options) {}

  /// An integer in [min, max].
  int integer(const std::string& name, int otherwise, int min, int max = std::numeric_limits<int>::max()) const;
  /// Like integer, or the word `unlimited`, which gives the largest int.
  int limit(const std::string& name, int otherwise, int min) const;
  /// A finite number in [min, max].
  double real(const std::string& name, double otherwise, double min,
              double max = std::numeric_limits<double>::max()) const;
  /// One of the words.
  std::string choice(const std::string& name, const std::string& otherwise,
                     const std::vector<std::string>& words) const;

 private:
  const SchedulerOptions& options_;
};

}  // namespace opsched
