// A file to which lines are appended, none of them lost by kill -9.
#pragma once

#include <string>
#include <string_view>

namespace opsched {

/// Lines of text beside a file that is saved now and then. Held by one process at a time.
class LineJournal {
 public:
  /// Opens or makes `path`, locks it and cuts off a last line that was never finished. Makes missing
  /// folders. Throws Error naming the file if it cannot be written or another process holds it.
  explicit LineJournal(std::string path);
  LineJournal(const LineJournal&) = delete;
  LineJournal& operator=(const LineJournal&) = delete;
  /// An empty journal is removed.
  ~LineJournal();

  const std::string& path() const { return path_; }
  bool empty() const { return size_ == 0; }
  /// Hands one line (no newline in it) to the system in one piece. Throws Error if that fails.
  void append(std::string_view line);
  void clear();

 private:
  std::string path_;
  int file_ = -1;
  long size_ = 0;
};

}  // namespace opsched
