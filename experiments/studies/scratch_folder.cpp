#include "experiments/studies/scratch_folder.hpp"

#include <stdlib.h>

#include <cerrno>
#include <system_error>

namespace opsched {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(const std::string& purpose) {
  // A name that nobody can have taken before.
  std::string name = (fs::temp_directory_path() / ("opsched-" + purpose + "-XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr)
    throw fs::filesystem_error("cannot make a temporary folder", name, std::error_code(errno, std::generic_category()));
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void ScratchFolder::clear() {
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) fs::remove_all(entry.path());
}

}  // namespace opsched
