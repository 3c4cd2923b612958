// What the program is doing right now, on standard error: one line that is rewritten on a terminal,
// a line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>

namespace opsched::cli {

class StatusLine {
 public:
  StatusLine();
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  /// Shows the text, if enough time has passed since the last one.
  void show(const std::string& text);
  /// Takes the line away, for other output to follow.
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

/// How far work of equal pieces has come: "[3/8, about 5 s left] ".
class Countdown {
 public:
  std::string text(int done, int total) const;

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace opsched::cli
