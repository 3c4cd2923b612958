#include "tests/fuzz/fuzz.hpp"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "core/error.hpp"

namespace opsched::fuzz {

int accept(const std::function<void()>& read) {
  try {
    read();
  } catch (const Error&) {
  }
  return 0;
}

const std::string& folder() {
  static const std::string path = [] {
    std::string name = (std::filesystem::temp_directory_path() / "opsched-fuzz-XXXXXX").string();
    return std::string(::mkdtemp(name.data()));
  }();
  return path;
}

std::string as_file(const std::string& name, const std::string& text) {
  std::string path = folder() + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

Graph small_graph() {
  Graph graph("small", 2);
  const OpId in = graph.add_input("in", {3, 8, 8});
  const OpId a = graph.add("a", {{{in, 0, 3}}}, {Conv2d{.out_channels = 4}});
  const OpId b = graph.add("b", {{{a, 0, 4}}}, {Conv2d{.out_channels = 4}});
  const OpId c = graph.add("c", {{{a, 0, 4}}}, {Conv2d{.out_channels = 4}});
  graph.add("d", {{{b, 0, 4}}, {{c, 0, 4}}}, {Activate{}});
  return graph;
}

}  // namespace opsched::fuzz
