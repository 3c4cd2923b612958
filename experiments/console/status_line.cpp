#include "experiments/console/status_line.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

#include "core/text_table.hpp"

namespace opsched::cli {
namespace {

constexpr auto kTerminalPause = std::chrono::milliseconds(100);
constexpr auto kFilePause = std::chrono::seconds(10);

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
}

}  // namespace

StatusLine::StatusLine()
    : terminal_(isatty(STDERR_FILENO) != 0),
      next_(std::chrono::steady_clock::now() +
            (terminal_ ? std::chrono::steady_clock::duration(kTerminalPause) : kFilePause)) {}

void StatusLine::show(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? std::chrono::steady_clock::duration(kTerminalPause) : kFilePause);
  if (terminal_) {
    std::cerr << "\r\033[K" << text.substr(0, terminal_width()) << std::flush;
    shown_ = true;
  } else {
    std::cerr << text << "\n";
  }
}

void StatusLine::clear() {
  if (shown_) std::cerr << "\r\033[K" << std::flush;
  shown_ = false;
}

void warn(const std::string& text) {
  std::cerr << (isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "") + ("opsched: " + text) + "\n";
}

std::string Countdown::text(int done, int total, double part) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const std::string left = part > 0 ? ", about " + human_seconds(seconds * (1 / part - 1)) + " left" : "";
  return "[" + std::to_string(done) + "/" + std::to_string(total) + left + "] ";
}

}  // namespace opsched::cli
