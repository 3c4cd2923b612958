#include "core/file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.hpp"

namespace opsched {
namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || fs::is_directory(path)) throw Error(path + ": cannot be read: " + std::strerror(in ? EISDIR : errno));
  std::ostringstream content;
  content << in.rdbuf();
  if (in.bad()) throw Error(path + ": reading failed");
  return std::move(content).str();
}

void write_file(const std::string& path, const std::string& content) {
  const fs::path target(path);
  std::error_code failure;
  if (target.has_parent_path()) fs::create_directories(target.parent_path(), failure);
  if (failure) throw Error(path + ": its folder cannot be made: " + failure.message());
  const fs::path temporary = path + ".tmp" + std::to_string(::getpid());
  {
    std::ofstream out(temporary, std::ios::binary);
    out << content;
    out.close();
    if (!out) {
      const std::string reason = std::strerror(errno);
      fs::remove(temporary, failure);
      throw Error(path + ": cannot be written: " + reason);
    }
  }
  fs::rename(temporary, target, failure);
  if (failure) {
    const std::string reason = failure.message();
    fs::remove(temporary, failure);
    throw Error(path + ": cannot be written: " + reason);
  }
}

}  // namespace opsched
