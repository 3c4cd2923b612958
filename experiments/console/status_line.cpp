#include "experiments/console/status_line.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
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

double seconds_left(double behind, double since, double part) {
  return part > 0 ? std::max(behind * (1 / part - 1) - since, 0.0) : 0;
}

std::string Countdown::text(int done, int total, double part) {
  const Clock::time_point now = Clock::now();
  if (part != part_) part_ = part, reached_ = now;
  const auto seconds = [](Clock::duration time) { return std::chrono::duration<double>(time).count(); };
  const double left = seconds_left(seconds(reached_ - begin_), seconds(now - reached_), part);
  return "[" + std::to_string(done) + "/" + std::to_string(total) +
         (left > 0 ? ", about " + human_seconds(left) + " left" : "") + "] ";
}

}  // namespace opsched::cli
