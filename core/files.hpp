// Whole files in and out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace opsched {

/// Content of a file. Throws Error naming the file where it cannot be read or is larger than
/// `max_bytes` (a wrong file, most likely).
std::string read_file(const std::string& path, std::int64_t max_bytes = std::int64_t{256} << 20);

/// A regular file in memory, without reading more of it than is looked at. It must not shrink meanwhile.
class MappedFile {
 public:
  /// Throws Error naming the file where it cannot be read.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

/// Writes a file as a whole: into a temporary file beside it, which then takes its name. Whatever
/// goes wrong, the old file (or none) is still there. Makes missing folders. Symbolic links are
/// followed; what is no regular file (a pipe, /dev/stdout) is written directly. A file that was there keeps its
/// permissions.
/// Throws Error naming the file and the reason.
void write_file_atomically(const std::string& path, std::string_view text);

/// Throws Error, as write_file_atomically would, where it is known beforehand that it must fail. Writes nothing.
void require_writable(const std::string& path);

}  // namespace opsched
