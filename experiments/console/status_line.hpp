// The current status on standard error: a line that is rewritten on a terminal, or a line from time to time elsewhere.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "experiments/console/interrupt.hpp"

namespace opsched::cli {

class StatusLine {
 public:
  StatusLine();
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  /// Shows the text, if enough time has passed since the last one.
  void show(const std::string& text);
  /// Removes the line, so that other output can follow.
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

/// Prints "opsched: text" as a line on standard error, replacing a status line.
void warn(const std::string& text);

/// Shows its argument; throws Interrupted once the user asked to stop. `status` must outlive it.
inline std::function<void(const std::string&)> interruptible(StatusLine& status) {
  return [&status](const std::string& text) {
    check_interrupt();
    status.show(text);
  };
}

/// Seconds left when `part` of the work took `behind` seconds and the piece now under way has taken `since`. That piece
/// counts only by the time it has taken: how much of it is done is not known. 0: not known.
double seconds_left(double behind, double since, double part);

/// Progress: "[3/8, about 5 s left] ".
class Countdown {
 public:
  /// `part` of all the time that pieces are expected to take is behind; 0: not known yet.
  std::string text(int done, int total, double part);
  /// Of equal pieces.
  std::string text(int done, int total) { return text(done, total, static_cast<double>(done) / total); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now(), reached_ = begin_;
  double part_ = 0;  ///< reached then
};

}  // namespace opsched::cli
