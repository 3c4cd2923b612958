#include "experiments/figures/python.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "core/error.hpp"
#include "core/names.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/device/folders.hpp"

namespace opsched::figures {
namespace {

/// Runs a command and waits for it. Returns -1 if it does not start or is ended by a signal. An interrupt is passed on:
/// Ctrl-C reaches the command anyway, but SIGTERM only reaches this process.
int run_command(std::vector<std::string> words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, argv.front(), nullptr, nullptr, argv.data(), environ) != 0) return -1;
  int status = 0;
  bool told = false;
  pid_t ended = 0;
  while ((ended = waitpid(child, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
    if (cli::interrupted() && !std::exchange(told, true)) kill(child, SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// The first Python that has all modules. Debian's packages belong to /usr/bin/python3, but another Python may come
/// first in the path. Empty if none has all.
std::string python_with(const std::vector<std::string>& modules) {
  const std::string find =
      "import importlib.util, sys; sys.exit(not all(importlib.util.find_spec(m) for m in sys.argv[1:]))";
  const char* chosen = std::getenv("OPSCHED_PYTHON");
  for (const std::string python : {chosen ? chosen : "", "python3", "/usr/bin/python3"}) {
    std::vector<std::string> words = {python, "-c", find};
    words.insert(words.end(), modules.begin(), modules.end());
    if (!python.empty() && run_command(words) == 0) return python;
  }
  return "";
}

}  // namespace

void run_python(const std::string& script, const std::vector<std::string>& arguments,
                const std::vector<std::string>& modules, const std::string& kept, const std::string& missing) {
  const std::string path = data_folder() + "/analysis/" + script;
  if (!std::filesystem::exists(path)) throw Error(kept + ", but " + path + ", which goes on from there, is not there");
  const std::string python = python_with(modules);
  if (python.empty()) throw Error(kept + ", but " + missing);
  std::vector<std::string> words = {python, "-B", path};  // write no files next to the script
  words.insert(words.end(), arguments.begin(), arguments.end());
  if (run_command(words) != 0) throw Error(kept + ", but " + script + " failed (see above)");
}

}  // namespace opsched::figures
