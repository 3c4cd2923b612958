// Runs the built program, for tests of its commands.
#pragma once

#include <filesystem>
#include <string>

namespace opsched::test {

struct ProgramResult {
  int code = -1;
  std::string out, err;
};

/// Runs `opsched ARGS` (a shell command line) with a file for standard output and one for errors.
ProgramResult run_program(const std::string& args);

/// A fresh folder, removed at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// Writes a file in it and returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);

}  // namespace opsched::test
