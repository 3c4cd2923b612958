// Progress of long work: shown on the status line, and stopped by Ctrl-C.
#pragma once

#include <functional>
#include <string>

#include "experiments/console/interrupt.hpp"
#include "experiments/console/status_line.hpp"

namespace opsched::cli {

/// Shows what it is called with; throws Interrupted once the user asked to stop. `status` must
/// outlive it.
inline std::function<void(const std::string&)> interruptible(StatusLine& status) {
  return [&status](const std::string& text) {
    check_interrupt();
    status.show(text);
  };
}

}  // namespace opsched::cli
