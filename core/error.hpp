// Exceptions of the library.
#pragma once

#include <stdexcept>
#include <string>

namespace opsched {

/// An error that the user can fix. The message names the cause (file, option, operator, device) and says what to do.
/// Programs print it and exit with code 2; the library itself never prints.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// A device failed permanently, so nothing more can run on it in this process.
class DeviceLost : public Error {
 public:
  using Error::Error;
};

}  // namespace opsched
