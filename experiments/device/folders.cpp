#include "experiments/device/folders.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/cost/profile/profile.hpp"
#include "core/error.hpp"

namespace opsched {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> with_profile(const fs::path& results) {
  std::vector<std::string> folders;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(results, none))
    if (has_profile(entry.path().string())) folders.push_back(entry.path().string());
  std::ranges::sort(folders);
  return folders;
}

/// The results/ folder of the program's data.
fs::path recorded_data() { return fs::weakly_canonical(fs::path(data_folder()) / "results"); }

/// The version in a tag that may also name refined kernel choices: 12 for "12 tuned-3f2a".
std::string version_of(const std::string& tag) { return tag.substr(0, tag.find(' ')); }

}  // namespace

std::string user_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/opsched";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache/opsched" : "";
}

std::string profile_file(const std::string& folder, Precision precision) {
  return (fs::path(folder) / ("profile-" + to_string(precision) + ".json")).string();
}

bool has_profile(const std::string& folder, Precision precision) {
  const std::string file = profile_file(folder, precision);
  return fs::exists(file) || fs::exists(file + ".journal");
}

bool has_profile(const std::string& folder) {
  return std::ranges::any_of(kPrecisions, [&](Precision precision) { return has_profile(folder, precision); });
}

std::string data_folder() {
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none).parent_path();
  for (const char* place : {"share/opsched", "../share/opsched"})
    if (const fs::path folder = program / place; fs::is_directory(folder, none)) return folder.lexically_normal();
  return {};
}

std::vector<std::string> recorded_folders() {
  const std::vector<std::string> folders = with_profile("results");
  return folders.empty() ? with_profile(recorded_data()) : folders;
}

bool copy_recorded_folders() {
  if (recorded_folders() == with_profile("results")) return false;
  const fs::path from = recorded_data();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name != "records.jsonl" && name != "index.json" && !name.starts_with("profile-")) continue;
    const fs::path to = "results" / entry.path().lexically_relative(from);
    fs::create_directories(to.parent_path());
    fs::copy_file(entry.path(), to, fs::copy_options::skip_existing);
  }
  return true;
}

std::string default_recorded_folder() {
  const std::vector<std::string> folders = recorded_folders();
  if (folders.empty())
    throw Error(
        "no GPU, and no recorded profile to replay: no folder in results/ has a profile (profile-fp32.json); name one "
        "with --profile FOLDER");
  const auto h200 =
      std::ranges::find_if(folders, [](const std::string& folder) { return fs::path(folder).filename() == "h200"; });
  return h200 == folders.end() ? folders.front() : *h200;
}

std::string measuring_folder_name(const std::string& device, const std::string& kernels, const std::string& results) {
  const std::string folder = (fs::path(results) / device).string();
  const bool other = std::ranges::any_of(kPrecisions, [&](Precision precision) {
    return has_profile(folder, precision) &&
           version_of(Profile::load(profile_file(folder, precision)).device().kernels) != version_of(kernels);
  });
  return other ? device + "-kernels" + version_of(kernels) : device;
}

}  // namespace opsched
