// Runs the built program, for tests of its commands.
#pragma once

#include <filesystem>
#include <string>

namespace opsched::test {

struct ProgramResult {
  int code = -1;
  std::string out, err;
};

/// Runs `opsched ARGS` (a shell command line). Schedules are kept between runs in a folder of the test process.
ProgramResult run_program(const std::string& args);

/// A fresh folder, removed at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// Path of a file in it.
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file in it and returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

/// A folder with profiles of a synthetic device in every precision: the operators of SqueezeNet and some of its
/// stages. Made once per test process.
const std::string& made_up_profile();

}  // namespace opsched::test
