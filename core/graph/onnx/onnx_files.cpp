// External data files of a model.
#include <filesystem>
#include <system_error>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_model.hpp"

namespace opsched {

std::string_view OnnxFiles::bytes(const std::string& location, std::int64_t offset, std::int64_t size) {
  if (location.starts_with('/') || location.find("..") != std::string::npos)
    throw Error("its data is outside the model's folder, at '" + location + "'");
  auto found = files_.find(location);
  if (found == files_.end()) {
    const std::filesystem::path folder(folder_.empty() ? "." : folder_);
    std::error_code error;
    const auto inside = std::filesystem::relative(folder / location, folder, error);  // follows symbolic links
    if (!error && *inside.begin() == "..")
      throw Error("its data is outside the model's folder: '" + location + "' links to a place outside it");
    found = files_.emplace(location, MappedFile((folder / location).string())).first;
  }
  const std::string_view all = found->second.bytes();
  if (offset < 0 || static_cast<std::uint64_t>(offset) > all.size() ||
      static_cast<std::uint64_t>(size) > all.size() - static_cast<std::uint64_t>(offset))
    throw Error("'" + location + "' is too short for it");
  return all.substr(offset, size);
}

}  // namespace opsched
