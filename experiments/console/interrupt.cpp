#include "experiments/console/interrupt.hpp"

#include <csignal>

namespace opsched::cli {
namespace {

// The one thing that a signal handler may touch.
volatile std::sig_atomic_t stop_requested = 0;

void on_signal(int signal) {
  stop_requested = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void watch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return stop_requested != 0; }

void check_interrupt() {
  if (interrupted()) throw Interrupted{};
}

}  // namespace opsched::cli
