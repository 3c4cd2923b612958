// HIOS's text format for DAGs with costs. A DAG that was read must survive writing and reading.
#include <cstdlib>

#include "networks/dag_file.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  return fuzz::accept([&] {
    const std::string text = dag_text(parse_dag({reinterpret_cast<const char*>(data), size}, "input"));
    if (dag_text(parse_dag(text, "written")) != text) std::abort();
  });
}
