#include "experiments/studies/scratch_folder.hpp"

#include <unistd.h>

namespace opsched {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(const std::string& purpose)
    : path_(fs::temp_directory_path() / ("opsched-" + purpose + "-" + std::to_string(::getpid()))) {
  clear();
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void ScratchFolder::clear() {
  fs::remove_all(path_);
  fs::create_directories(path_);
}

}  // namespace opsched
