#include "experiments/figures/python.hpp"
#include "experiments/figures/reproduce.hpp"

namespace opsched::figures {

void draw(const std::string& folder, const std::vector<std::string>& names, bool pictures) {
  std::vector<std::string> words = {folder};
  words.insert(words.end(), names.begin(), names.end());
  if (!pictures) words.emplace_back("--no-pictures");
  run_python("figures.py", words, {pictures ? "matplotlib" : "json"}, "the data are in " + folder,
             pictures ? "to draw them Python has no matplotlib; install it (apt-get install python3-matplotlib), or "
                        "leave the pictures out with --no-pictures"
                      : "to draw them there is no python3");
}

}  // namespace opsched::figures
