#include "experiments/device/host_name.hpp"

#include <unistd.h>

namespace opsched {

std::string host_name() {
  std::string name(256, '\0');
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.c_str() : "?";
}

}  // namespace opsched
