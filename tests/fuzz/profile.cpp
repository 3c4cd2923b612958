// Profiles and their journals. The first byte selects which.
#include <filesystem>

#include "core/cost/profile/profile.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1), profile = fuzz::folder() + "/profile.json";
  std::filesystem::remove(profile);
  std::filesystem::remove(profile + ".journal");
  fuzz::as_file(data[0] == 'j' ? "profile.json.journal" : "profile.json", text);
  return fuzz::accept([&] {
    Profile read = Profile::load(profile);
    read.save(fuzz::folder() + "/again.json");
    Profile::load(fuzz::folder() + "/again.json");
  });
}
