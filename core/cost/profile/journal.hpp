// An append-only file whose lines survive kill -9.
#pragma once

#include <string>
#include <string_view>

namespace opsched {

/// Lines of text that complement a file which is saved from time to time. Only one process at a time can hold it.
class LineJournal {
 public:
  /// Opens or creates `path`, locks it and truncates an incomplete last line. Creates missing folders. Throws Error
  /// naming the file if it cannot be written or another process holds it.
  explicit LineJournal(std::string path);
  LineJournal(const LineJournal&) = delete;
  LineJournal& operator=(const LineJournal&) = delete;
  /// An empty journal is removed.
  ~LineJournal();

  const std::string& path() const { return path_; }
  bool empty() const { return size_ == 0; }
  /// Writes one line (without newline) in a single system call. Throws Error on failure.
  void append(std::string_view line);
  void clear();

 private:
  std::string path_;
  int file_ = -1;
  long size_ = 0;
};

}  // namespace opsched
