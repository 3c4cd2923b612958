// Default locations of files.
#pragma once

#include <string>
#include <vector>

#include "core/precision.hpp"

namespace opsched {

/// Cache for data that can be recreated: $XDG_CACHE_HOME or ~/.cache, /opsched. Empty if neither variable is set.
std::string user_cache_folder();

/// FOLDER/profile-fp32.json and so on.
std::string profile_file(const std::string& folder, Precision precision);
/// Does the folder have a profile of this precision, or its journal?
bool has_profile(const std::string& folder, Precision precision);
/// Of any precision?
bool has_profile(const std::string& folder);

/// The program's data: analysis/ and results/. PREFIX/share/opsched for an installed program; links to the source in a
/// build folder. Empty if the program was moved away from them.
std::string data_folder();

/// Folders of recorded results with a profile: in ./results, otherwise in results/ of the program's data. Ascending.
std::vector<std::string> recorded_folders();
/// For commands that write into them: if ./results has no profile, copies the recorded results of the program's data
/// there and returns true.
bool copy_recorded_folders();
/// The default folder to replay: the H200's, otherwise the first. Throws Error if there is none.
std::string default_recorded_folder();

/// Name of the folder below `results` for what kernels of version `kernels` measure on a device: `device`, or
/// DEVICE-kernelsN where that one holds a profile of another version, which nothing may be added to.
std::string measuring_folder_name(const std::string& device, const std::string& kernels,
                                  const std::string& results = "results");

}  // namespace opsched
