// Reading and writing whole files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace opsched {

/// Content of a file. Throws Error naming the file if it cannot be read or is larger than `max_bytes` (most likely the
/// wrong file).
std::string read_file(const std::string& path, std::int64_t max_bytes = std::int64_t{256} << 20);

/// A memory-mapped regular file, so that only accessed parts are read. The file must not shrink while it is mapped.
class MappedFile {
 public:
  /// Throws Error naming the file if it cannot be read.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

/// Writes a file atomically: into a temporary file in the same folder, which is then renamed. On any failure the old
/// file (or none) is still there. Creates missing folders. Follows symbolic links; writes directly to anything that is
/// not a regular file (a pipe, /dev/stdout). An existing file keeps its permissions. Throws Error naming the file and
/// the reason.
void write_file_atomically(const std::string& path, std::string_view text);

/// Throws the Error of write_file_atomically if it is already clear that writing would fail. Writes nothing.
void require_writable(const std::string& path);

}  // namespace opsched
