#include "core/cost/profile/journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.hpp"

namespace opsched {
namespace {

Error failure(const std::string& path, const char* what) {
  return Error("cannot " + std::string(what) + " '" + path + "': " + std::strerror(errno));
}

/// Opens and locks the file; -1 if it was removed or replaced in between.
int open_locked(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) throw failure(path, "write");
  if (::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(file);
    throw Error("'" + path + "' is in use: another process is measuring into this profile; wait for it to end");
  }
  struct stat mine {
  }, there{};
  if (::fstat(file, &mine) == 0 && ::stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino) return file;
  ::close(file);
  return -1;
}

/// Length of the file up to and including its last newline.
long whole_lines(int file) {
  long end = ::lseek(file, 0, SEEK_END);
  char c = 0;
  while (end > 0 && ::pread(file, &c, 1, end - 1) == 1 && c != '\n') --end;
  return end;
}

}  // namespace

LineJournal::LineJournal(std::string path) : path_(std::move(path)) {
  if (const auto folder = std::filesystem::path(path_).parent_path(); !folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw Error("cannot make the folder '" + folder.string() + "': " + error.message());
  }
  while (file_ < 0) file_ = open_locked(path_);
  size_ = whole_lines(file_);
  if (::ftruncate(file_, size_) != 0) {
    ::close(file_);
    throw failure(path_, "write");
  }
}

LineJournal::~LineJournal() {
  if (empty()) ::unlink(path_.c_str());
  ::close(file_);
}

void LineJournal::append(std::string_view line) {
  std::string text(line);
  text += '\n';
  const ssize_t written = ::write(file_, text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) {
    const int reason = written < 0 ? errno : ENOSPC;
    [[maybe_unused]] const int cut = ::ftruncate(file_, size_);  // leaves only complete lines
    errno = reason;
    throw failure(path_, "write");
  }
  size_ += static_cast<long>(text.size());
}

void LineJournal::clear() {
  if (::ftruncate(file_, 0) != 0) throw failure(path_, "write");
  size_ = 0;
}

}  // namespace opsched
