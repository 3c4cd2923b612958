// Sweep files. Each case occurs once, and its name names it.
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "core/graph/files/graph_io.hpp"
#include "experiments/bench/sweep.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

/// Graph files are looked for from the working directory: a folder that holds one.
bool in_own_folder() {
  opsched::fuzz::as_file("small.json", graph_to_json(opsched::fuzz::small_graph()));
  return ::chdir(opsched::fuzz::folder().c_str()) == 0;
}

/// Patterns with a slash ('/' or its escape) lead out of the folder: a search of the whole disk tells nothing.
bool leaves_folder(const std::string& text) {
  return text.find('/') != std::string::npos || text.find("\\u002") != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  static const bool there = in_own_folder();
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (!there) std::abort();
  if (leaves_folder(text)) return 0;
  const std::string file = fuzz::as_file("sweep.json", text);
  return fuzz::accept([&] {
    std::set<std::string> names;
    for (const bench::Case& one : bench::sweep_cases(file))
      if (!names.insert(one.name()).second || records::parse_case(one.name()) != one) std::abort();
  });
}
