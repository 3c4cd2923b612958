#include "core/names.hpp"
#include "experiments/figures/python.hpp"
#include "experiments/figures/reproduce.hpp"

namespace opsched::figures {

std::vector<std::string> picture_formats() { return {"png", "svg", "pdf"}; }

void draw(const std::string& folder, const std::vector<std::string>& names, const std::vector<std::string>& formats) {
  std::vector<std::string> words = {folder};
  words.insert(words.end(), names.begin(), names.end());
  const bool pictures = !formats.empty();
  if (pictures)
    words.insert(words.end(), {"--formats", joined(formats, std::identity(), ",")});
  else
    words.emplace_back("--no-pictures");
  run_python(
      "figures.py", words, {pictures ? "matplotlib" : "json"}, "the data are in " + folder,
      pictures
          ? "drawing needs matplotlib in Python; install it (apt-get install python3-matplotlib), or use --no-pictures"
          : "drawing needs python3");
}

}  // namespace opsched::figures
