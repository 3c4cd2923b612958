// Graph files: our own JSON and IOS's. A graph that was read must survive writing and reading.
#include <cstdlib>

#include "core/graph/files/graph_io.hpp"
#include "core/graph/fingerprint.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  return fuzz::accept([&] {
    const Graph graph = parse_graph({reinterpret_cast<const char*>(data), size}, "input");
    const Graph again = parse_graph(graph_to_json(graph), "written");
    if (named_fingerprint(again) != named_fingerprint(graph)) std::abort();
    graph_to_dot(graph);
  });
}
