#include "core/files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.hpp"

namespace opsched {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// Some file systems report a full disk only here.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

bool write_all(Descriptor& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return file.close();
}

[[noreturn]] void fail(const std::string& path, const char* doing, int error) {
  throw Error("cannot " + std::string(doing) + " '" + path + "': " + std::strerror(error));
}

/// Creates a file in the folder of `target` and returns its name in `name`. Skips files left behind by an earlier
/// process with the same id.
int open_beside(const fs::path& target, mode_t mode, std::string& name) {
  static std::atomic<unsigned> count = 0;  // threads that write the same file need different names
  constexpr int most_tries = 10'000;
  for (int i = 0; i < most_tries; ++i) {
    name = target.string() + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(count.fetch_add(1));
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file >= 0 || errno != EEXIST) return file;
  }
  return -1;
}

/// Preserves permissions. The owner cannot always be preserved.
bool keep_permissions(const std::string& path, const Descriptor& file) {
  struct stat old {};
  if (::stat(path.c_str(), &old) != 0) return false;
  [[maybe_unused]] const int owner = ::fchown(file.get(), old.st_uid, old.st_gid);
  return ::fchmod(file.get(), old.st_mode & 07777) == 0;
}

[[noreturn]] void fail_too_large(const std::string& path, std::int64_t max_bytes) {
  throw Error("cannot read '" + path + "': it is larger than " + std::to_string(max_bytes) +
              " bytes; is it the right file?");
}

}  // namespace

void require_writable(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) fail(path, "write", EISDIR);
  if (fs::exists(status)) {
    if (::access(path.c_str(), W_OK) != 0) fail(path, "write", errno);
    if (!fs::is_regular_file(status)) return;
  }
  fs::path folder = fs::absolute(path).parent_path();
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, error)) fail(path, "write", ENOTDIR);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail(path, "write", errno);
}

std::string read_file(const std::string& path, std::int64_t max_bytes) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) fail(path, "read", errno);
  if (S_ISREG(status.st_mode) && status.st_size > max_bytes) fail_too_large(path, max_bytes);
  std::string text;
  std::string chunk(1 << 16, '\0');
  for (;;) {
    const ssize_t n = ::read(file.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "read", errno);
    if (n == 0) return text;
    text.append(chunk, 0, static_cast<std::size_t>(n));
    if (static_cast<std::int64_t>(text.size()) > max_bytes) fail_too_large(path, max_bytes);
  }
}

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) fail(path, "read", errno);
  if (!S_ISREG(status.st_mode)) throw Error("cannot read '" + path + "': not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) fail(path, "read", errno);
  bytes_ = {static_cast<const char*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void write_file_atomically(const std::string& path, std::string_view text) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) fail(path, "write", EISDIR);
  if (fs::exists(status) && ::access(path.c_str(), W_OK) != 0) fail(path, "write", errno);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 || !write_all(file, text)) fail(path, "write", errno);
    return;
  }
  const fs::path target = fs::exists(status) ? fs::canonical(path, error) : fs::path(path);
  if (error && fs::exists(status)) fail(path, "write", error.value());
  if (target.has_parent_path()) {
    error.clear();
    fs::create_directories(target.parent_path(), error);
    if (error) fail(path, "write", error.value());
  }

  std::string temporary;
  Descriptor file(open_beside(target, fs::exists(status) ? 0600 : 0666, temporary));
  if (file.get() < 0) fail(path, "write", errno);
  if ((fs::exists(status) && !keep_permissions(target.string(), file)) || !write_all(file, text) ||
      std::rename(temporary.c_str(), target.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    fail(path, "write", reason);
  }
}

}  // namespace opsched
