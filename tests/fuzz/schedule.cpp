// Schedule files. A schedule that was read is valid, and survives writing and reading.
#include <cstdlib>

#include "core/schedule/schedule_json.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  static const Graph graph = fuzz::small_graph();
  return fuzz::accept([&] {
    const Schedule schedule = schedule_from_json(graph, {reinterpret_cast<const char*>(data), size}, "input");
    const std::string text = schedule_to_json(graph, schedule);
    if (schedule_to_json(graph, schedule_from_json(graph, text, "written")) != text) std::abort();
  });
}
