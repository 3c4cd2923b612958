// A folder that is removed with its owner.
#pragma once

#include <filesystem>
#include <string>

namespace opsched {

/// Made empty in the system's folder for temporary files, removed with everything in it at the end.
class ScratchFolder {
 public:
  /// `purpose` becomes part of its name. Throws std::filesystem::filesystem_error if it cannot be made.
  explicit ScratchFolder(const std::string& purpose);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path() const { return path_.string(); }
  /// Empty again.
  void clear();

 private:
  std::filesystem::path path_;
};

}  // namespace opsched
