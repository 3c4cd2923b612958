#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "core/error.hpp"
#include "experiments/figures/reproduce.hpp"

namespace opsched::figures {

namespace {

/// Runs a command and waits for it. -1: it does not start, or was ended by a signal.
int run(std::vector<std::string> words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, argv.front(), nullptr, nullptr, argv.data(), environ) != 0) return -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Debian's matplotlib is /usr/bin/python3's; another Python may come first in the path.
std::string python_with(const std::string& module) {
  const std::string find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('" + module + "') is None)";
  for (const char* python : {"python3", "/usr/bin/python3"})
    if (run({python, "-c", find}) == 0) return python;
  return "";
}

}  // namespace

void draw(const std::string& folder, const std::vector<std::string>& names, bool pictures) {
  const std::string script = std::string(OPSCHED_SOURCE_DIR) + "/analysis/figures.py",
                    kept = "the data are in " + folder;
  if (!std::filesystem::exists(script)) throw Error(kept + ", but " + script + ", which draws them, is not there");
  const std::string python = python_with(pictures ? "matplotlib" : "json");
  if (python.empty())
    throw Error(kept + ", but to draw them " +
                (pictures ? "Python has no matplotlib; install it (apt-get install python3-matplotlib), or leave the "
                            "pictures out with --no-pictures"
                          : "there is no python3"));
  std::vector<std::string> words = {python, script, folder};
  words.insert(words.end(), names.begin(), names.end());
  if (!pictures) words.emplace_back("--no-pictures");
  if (run(words) != 0)
    throw Error(kept + ", but they could not be drawn (see above); '" + python + " " + script + " " + folder +
                "' tries again");
}

}  // namespace opsched::figures
