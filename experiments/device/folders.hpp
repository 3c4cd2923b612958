// Where the program keeps and looks for files, unless told otherwise.
#pragma once

#include <string>
#include <vector>

#include "core/precision.hpp"

namespace opsched {

/// What can be made again: $XDG_CACHE_HOME or ~/.cache, /opsched. Empty if neither variable is set.
std::string user_cache_folder();

/// FOLDER/profile-fp32.json and so on.
std::string profile_file(const std::string& folder, Precision precision);
/// Does the folder hold a profile of this precision, or its journal?
bool has_profile(const std::string& folder, Precision precision);
/// Of any precision?
bool has_profile(const std::string& folder);

/// The program's own data: analysis/ and results/. Of an installed program PREFIX/share/opsched; in a build folder
/// links to the source. Empty: it was moved away from them.
std::string data_folder();

/// Folders of recorded results with a profile: in ./results, else in the results/ of the program's data. Ascending.
std::vector<std::string> recorded_folders();
/// For who writes into them: where ./results holds no profile, copies what is recorded in the program's data there.
/// True: it did.
bool copy_recorded_folders();
/// The one that is replayed unless told otherwise: the H200's, else the first. Throws Error if there is none.
std::string default_recorded_folder();

/// Name of the folder below `results` for what kernels of version `kernels` measure on a device: `device`, or
/// DEVICE-kernelsN where that one holds a profile of another version, which nothing may be added to.
std::string measuring_folder_name(const std::string& device, const std::string& kernels,
                                  const std::string& results = "results");

}  // namespace opsched
