// The file that remembers which kernel was the fastest.
#pragma once

#include <map>
#include <string>

namespace opsched {

/// Choices of one GPU model: problem key to kernel name. JSON; several GPU models share a file. What
/// another version of this project, of cuDNN or of cuBLASLt wrote is ignored, and replaced by save().
class ChoiceFile {
 public:
  /// `path` empty: remembers nothing beyond its own life. Throws Error naming the file if it cannot be
  /// read or is no such file.
  ChoiceFile(std::string path, std::string device);

  /// Takes over what others have written meanwhile: the library of another GPU of this model, say.
  void refresh();
  /// Name of the kernel for a problem; nullptr if unknown.
  const std::string* find(const std::string& problem) const;
  void set(const std::string& problem, const std::string& kernel);
  /// Writes what was set into the file, beside what others have written meanwhile.
  void save();

 private:
  std::string path_, device_;
  std::map<std::string, std::string> choices_;
  bool changed_ = false;
};

}  // namespace opsched
