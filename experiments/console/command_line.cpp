#include "experiments/console/command_line.hpp"

#include <fstream>

namespace opsched::cli {
namespace {

std::string in_quotes(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n'\"\\$*?;&|<>()") == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

std::string command_line() {
  std::ifstream words("/proc/self/cmdline", std::ios::binary);
  std::string line, word;
  for (bool program = true; std::getline(words, word, '\0'); program = false)
    if (word != "--fresh") line += program ? "opsched" : " " + in_quotes(word);
  return line;
}

}  // namespace opsched::cli
