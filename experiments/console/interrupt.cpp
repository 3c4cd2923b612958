#include "experiments/console/interrupt.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>
#include <system_error>
#include <thread>

#include "core/error.hpp"

namespace opsched::cli {
namespace {

// Only these are touched by the signal handler.
volatile std::sig_atomic_t stop_requested = 0;
int wake_up[2] = {-1, -1};

// How long a command may take to stop by itself.
constexpr std::chrono::milliseconds kGrace{1500};
constexpr int kStopped = 130;

void on_signal(int signal) {
  const int error = errno;
  stop_requested = 1;
  std::signal(signal, SIG_DFL);
  [[maybe_unused]] const ssize_t written = ::write(wake_up[1], "", 1);
  errno = error;
}

/// Ends the program if the command does not stop, for example while it computes a large network or waits for a file.
/// Files are safe at any moment, because they are appended line by line or replaced as a whole.
void end_after_grace() {
  char none = 0;
  while (::read(wake_up[0], &none, 1) < 0 && errno == EINTR) {
  }
  std::this_thread::sleep_for(kGrace);
  constexpr std::string_view kText =
      "\n"
      "opsched: stopped; finished results are saved\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(kStopped);
}

}  // namespace

void watch_interrupts() {
  if (::pipe(wake_up) != 0) throw Error("cannot make a pipe: " + std::generic_category().message(errno));
  std::thread(end_after_grace).detach();
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return stop_requested != 0; }

void check_interrupt() {
  if (interrupted()) throw Interrupted{};
}

}  // namespace opsched::cli
